import pytest

from minicloud.web import pages
from minicloud.web.pages import read_folder

PAGE = b"<!doctype html><title>minicloud</title>"

POLICY = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "base-uri": ["'none'"],
    "form-action": ["'none'"],
    "frame-ancestors": ["'none'"],
}
"""The whole policy: what is not named here is not allowed, and nothing here is allowed by the way."""


def directives(policy):
    """Return the sources by directive (Content Security Policy Level 3, section 2.2.1); each may be named once."""
    parsed = [part.split() for part in policy.split(";")]
    named = {name: sources for name, *sources in parsed}
    assert len(named) == len(parsed)
    return named


@pytest.fixture
def folder(tmp_path):
    static = tmp_path / "static"
    (static / "parts").mkdir(parents=True)
    (static / "index.html").write_bytes(PAGE)
    (static / "app.js").write_bytes(b"'use strict';\n")
    (static / "parts" / "ключ.css").write_bytes(b"body{}\n")
    (static / ".hidden.js").write_bytes(b"hidden")
    (static / "notes.py").write_bytes(b"no type")
    (static / ".git").mkdir()
    (static / ".git" / "config.txt").write_bytes(b"hidden")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return static


@pytest.fixture
def site(make_world, folder):
    return make_world(static_folder=folder)


def test_the_dashboard_is_served_with_a_strict_policy(site, node):
    response = site.ask("GET", "/dashboard", node=node)
    assert (response.code, response.body) == (200, PAGE)
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert directives(response["Content-Security-Policy"]) == POLICY
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "no-referrer"


def test_the_root_leads_to_the_dashboard(site):
    response = site.ask("GET", "/")
    assert (response.code, response["Location"]) == (302, "/dashboard")


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/static/app.js", "text/javascript; charset=utf-8"),
        ("/static/index.html", "text/html; charset=utf-8"),
        ("/static/parts/%D0%BA%D0%BB%D1%8E%D1%87.css", "text/css; charset=utf-8"),
    ],
)
def test_static_files_have_their_types(site, path, content_type):
    response = site.ask("GET", path)
    assert (response.code, response["Content-Type"]) == (200, content_type)


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/parts",
        "/static/parts/",
        "/static/missing.js",
        "/static/.hidden.js",
        "/static/.git/config.txt",
        "/static/notes.py",
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/..%2Fsecret.txt",
        "/static/..%5Csecret.txt",
        "/static/parts/../app.js",
        "/static//app.js",
        "/static/%2Fetc%2Fpasswd",
        "/static//etc/passwd",
        "/static/app.js%00",
        "/static/app.js/",
        "/static/APP.JS",
        "/static/C:%5Cwindows%5Cwin.ini",
        "/static/%FF",
        "/static/{name}",
    ],
)
def test_no_other_path_leads_to_a_file(site, path):
    response = site.ask("GET", path)
    assert (response.code, response.problem) == (404, "unknown_path")


def test_files_are_revalidated_by_their_content(site):
    first = site.ask("GET", "/static/app.js")
    assert first["Cache-Control"] == "no-cache"
    again = site.ask("GET", "/static/app.js", {"If-None-Match": first["ETag"]})
    assert (again.code, again.body, again["ETag"]) == (304, b"", first["ETag"])
    assert site.ask("GET", "/static/app.js", {"If-None-Match": '"other"'}).code == 200
    assert site.ask("GET", "/static/index.html")["ETag"] != first["ETag"]


def test_without_a_folder_there_is_no_dashboard(world):
    assert world.ask("GET", "/dashboard").problem == "unknown_path"


def test_links_out_of_the_folder_are_not_followed(folder):
    try:
        (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    except OSError:
        pytest.skip("no symbolic links here")
    assert b"link.txt" not in read_folder(folder)


def test_a_file_that_is_too_large_is_refused_at_the_start(folder, monkeypatch):
    monkeypatch.setattr(pages, "MAX_STATIC_FILE_BYTES", 5)
    with pytest.raises(ValueError, match=r"app\.js"):
        read_folder(folder)


def test_metrics_are_rendered_by_what_the_client_accepts(make_world):
    asked = []

    def page(accept):
        asked.append(accept)
        return "application/openmetrics-text; version=1.0.0", b"# EOF\n"

    world = make_world(metrics_page=page, auth_token="t", auth_reads=True)
    response = world.ask("GET", "/metrics", {"Accept": "application/openmetrics-text"})
    assert (response.code, response.body) == (200, b"# EOF\n")
    assert response["Content-Type"] == "application/openmetrics-text; version=1.0.0"
    assert world.ask("GET", "/metrics").code == 200
    assert asked == ["application/openmetrics-text", ""]
