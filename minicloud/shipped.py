"""Where the files are that ship beside the code: the dashboard in ``static/`` and the example settings in ``configs/``.

In a checkout, and so in an editable install, they stand beside the package. An installed wheel has put them into
``share/minicloud`` of the environment (its *data* scheme); where exactly that is, the installer has written down.
"""

from __future__ import annotations

import importlib.metadata
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_PACKAGE = "minicloud"
_PACKAGE_FOLDER = Path(__file__).parent
_SHARE = Path("share") / _PACKAGE


def static_folder() -> Path:
    """Return the folder of the dashboard's files. Raises FileNotFoundError where the installation lacks it."""
    return _shipped("static")


def find_config(path: Path) -> Path:
    """Return the config file that a path means.

    That is the path itself, relative to the working folder; if nothing is there and it begins with ``configs``, the
    shipped file of that name. So ``configs/node1.yaml`` works from any folder. A path that leads nowhere is returned as
    it is.
    """
    if path.exists() or path.is_absolute() or path.parts[:1] != ("configs",) or ".." in path.parts:
        return path
    try:
        shipped = _shipped("configs").joinpath(*path.parts[1:])
    except FileNotFoundError:
        return path
    return shipped if shipped.is_file() else path


def _shipped(name: str) -> Path:
    for folder in _candidates(name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"the folder {name} of minicloud is missing from this installation; install minicloud again"
    )


def _candidates(name: str) -> Iterator[Path]:
    checkout = _PACKAGE_FOLDER.parent
    if (checkout / "setup.cfg").is_file():  # never beside an installed package
        yield checkout / name
    yield from _installed(name)
    for scheme in (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")):
        yield Path(sysconfig.get_path("data", scheme)) / _SHARE / name
    yield checkout / _SHARE / name  # pip install --target


def _installed(name: str) -> Iterator[Path]:
    """Where the installer says that it put one of the files."""
    try:
        files = importlib.metadata.files(_PACKAGE) or ()
    except importlib.metadata.PackageNotFoundError:
        return
    wanted = (*_SHARE.parts, name)
    for file in files:
        for end in range(len(wanted), len(file.parts)):
            if file.parts[end - len(wanted) : end] == wanted:
                located = Path(str(file.locate()))
                yield located.parents[len(file.parts) - end - 1].resolve()
                return
