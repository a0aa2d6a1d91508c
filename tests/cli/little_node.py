"""A stand-in for a cluster of one node, on a real socket and in a thread of its own: for what runs as a process."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/kv/"):
            self._answer(b"value", "application/octet-stream", ETag='"4"')
        else:
            self._answer_document(self._documents()[path])

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer_document({"key": "k", "revision": 4, "created": True})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"", "", status=204)

    def do_DELETE(self) -> None:
        self._answer_document({"key": "k", "revision": 5, "deleted": True})

    def _documents(self) -> dict[str, Any]:
        item = {"key": "k", "revision": 4, "create_revision": 4, "version": 1, "size_bytes": 5}
        member = {"node_id": "node1", "raft_addr": "127.0.0.1:9011", "suffrage": "Voter", "is_leader": True}
        address = "{}:{}".format(*self.server.server_address[:2])
        return {
            "/kv": {"items": [item], "revision": 4, "next_cursor": None},
            "/cluster/members": {"members": [member | {"http_addr": address}], "failure_tolerance": 0},
            "/raft/status": {"node_id": "node1", "state": "Leader", "term": 1},
        }

    def _answer_document(self, document: dict[str, Any]) -> None:
        self._answer(json.dumps(document).encode(), "application/json")

    def _answer(self, body: bytes, content_type: str, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": content_type, "Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def little_node(https: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve a cluster of one, and give its ``host:port``. ``https``: with what it serves HTTPS, and no HTTP."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Requests)
    server.daemon_threads = True
    if https is not None:
        server.socket = https.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
