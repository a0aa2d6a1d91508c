"""The health check of a container."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from minicloud.service.health import main


@pytest.fixture
def server() -> Iterator[str]:
    """A server that answers /200 and /503 with those statuses, and /204 with one that is no 200 either."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(self.path[1:]))
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_a_node_that_answers_is_alive_whatever_proxy_is_set(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert main([f"{server}/200"]) == 0


@pytest.mark.parametrize("path", ["503", "204"])
def test_any_other_answer_is_told(server: str, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{server}/{path}"]) == 1
    assert path in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/livez", "nonsense"])
def test_no_answer_is_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([url]) == 1
    assert capsys.readouterr().out.startswith(f"{url}: ")
