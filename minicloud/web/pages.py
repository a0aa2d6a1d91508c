"""The dashboard's files and the metrics: read once, served from memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote_to_bytes

from attrs import frozen

from minicloud.web.answers import Answer
from minicloud.web.limits import MAX_STATIC_FILE_BYTES, MAX_STATIC_FILES
from minicloud.web.request import Request
from minicloud.web.routing import unknown_path
from minicloud.web.settings import MetricsPage

DASHBOARD_FILE = b"index.html"

_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".ico": b"image/x-icon",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".mjs": b"text/javascript; charset=utf-8",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
    ".woff2": b"font/woff2",
}
"""Named here: the mimetypes module asks the registry on Windows, and answers differently on every machine."""

_POLICY = (
    b"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    b"Referrer-Policy: no-referrer\r\n"
    b"Cross-Origin-Opener-Policy: same-origin\r\n"
    b"Cache-Control: no-cache\r\n"
)
"""Everything from this node and nothing inline: a hostile key or value that gets into a page runs nothing."""


@frozen
class StaticFile:
    """One file, ready to be sent."""

    content: bytes
    content_type: bytes
    etag: bytes


def read_folder(folder: Path) -> dict[bytes, StaticFile]:
    """Return the files below a folder by their path relative to it, with slashes, in UTF-8.

    Hidden files, links out of the folder and files of unknown type are left out. What is not in the result does not
    exist for a browser: no path is ever put together from a request. Raises OSError, and ValueError for too many or
    too large files.
    """
    files: dict[bytes, StaticFile] = {}
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        content_type = _TYPES.get(path.suffix.lower())
        hidden = any(part.startswith(".") for part in name.split("/"))
        if content_type is None or hidden or not path.is_file() or not path.resolve().is_relative_to(root):
            continue
        content = path.read_bytes()
        if len(content) > MAX_STATIC_FILE_BYTES or len(files) >= MAX_STATIC_FILES:
            raise ValueError(f"{path}: a page has at most {MAX_STATIC_FILES} files of {MAX_STATIC_FILE_BYTES} bytes")
        etag = b'"%b"' % hashlib.sha256(content).hexdigest()[:16].encode("ascii")
        files[name.encode("utf-8")] = StaticFile(content, content_type, etag)
    return files


class Pages:
    """The meaning of the routes for people and for Prometheus."""

    def __init__(self, files: Mapping[bytes, StaticFile], metrics_page: MetricsPage) -> None:
        self._files = files
        self._metrics_page = metrics_page

    def home(self, request: Request) -> Answer:
        """Send a browser to the dashboard."""
        return Answer(302, b"", b"text/plain; charset=utf-8", b"Location: /dashboard\r\n")

    def dashboard(self, request: Request) -> Answer:
        """Answer with the dashboard."""
        return self._file(DASHBOARD_FILE, request)

    def static(self, request: Request) -> Answer:
        """Answer with one of the dashboard's files."""
        return self._file(unquote_to_bytes(request.rest), request)

    def _file(self, name: bytes, request: Request) -> Answer:
        file = self._files.get(name)
        if file is None:
            raise unknown_path()
        lines = b"ETag: %b\r\n%b" % (file.etag, _POLICY)
        if file.etag in b",".join(request.headers.get(b"If-None-Match", ())):
            return Answer(304, header_lines=lines)
        return Answer(200, file.content, file.content_type, lines)

    def metrics(self, request: Request) -> Answer:
        """Answer with the metrics, in the format that ``Accept`` asks for."""
        accept = b",".join(request.headers.get(b"Accept", ())).decode("latin-1")
        content_type, body = self._metrics_page(accept)
        return Answer(200, body, content_type.encode("ascii"), b"Cache-Control: no-store\r\n")
