"""After the disk has failed once, nothing is written any more."""

from __future__ import annotations

from types import TracebackType

from minicloud.storage.errors import StorageFailed


class FailStop:
    """Guards every use of the disk: ``with fail_stop: …``.

    The first OSError inside becomes StorageFailed, and so does every later use. A sync that failed is not tried again:
    the system may have dropped what it could not write, and would then call the next one a success (Rebello et al.,
    "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.failure: StorageFailed | None = None
        """What went wrong first."""

    def __enter__(self) -> None:
        if self.failure is not None:
            raise StorageFailed(f"{self.failure}; nothing is written after that") from self.failure

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            self.failure = StorageFailed(f"data folder {self._folder}: the system refused: {error}")
            raise self.failure from error
