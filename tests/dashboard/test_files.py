"""What the files of the page must never contain, whatever a browser would do with it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "static"
PAGES = sorted(STATIC.glob("*.html"))
OWN = [path for path in sorted(STATIC.rglob("*")) if "vendor" not in path.relative_to(STATIC).parts]
SCRIPTS = [path for path in OWN if path.suffix == ".js"]
STYLES = [path for path in OWN if path.suffix == ".css"]


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(page: Path) -> list[tuple[str, dict[str, str | None]]]:
    return Elements(page.read_text(encoding="utf-8")).found


def by_name(path: Path) -> str:
    return path.relative_to(STATIC).as_posix()


def test_there_is_a_page() -> None:
    assert PAGES
    assert SCRIPTS
    assert STYLES


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_nothing_is_inline(page: Path) -> None:
    for tag, attributes in elements(page):
        assert tag != "style"
        assert tag != "script" or attributes.get("src"), "inline script"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_everything_comes_from_the_node_itself_and_exists(page: Path) -> None:
    for _tag, attributes in elements(page):
        for name in ("src", "href"):
            target = attributes.get(name) or "#"
            if target.startswith("#"):
                continue
            assert target.startswith("/static/")
            assert (STATIC / target.removeprefix("/static/")).is_file()


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_field_has_a_label_and_every_reference_a_target(page: Path) -> None:
    found = elements(page)
    ids = [attributes["id"] for _tag, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {attributes.get("for") for tag, attributes in found if tag == "label"}
    for tag, attributes in found:
        if tag == "textarea" or (tag == "input" and attributes.get("type") != "checkbox"):
            assert attributes["id"] in labelled
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert name not in attributes or attributes[name] in ids


@pytest.mark.parametrize("script", SCRIPTS, ids=by_name)
def test_scripts_make_no_markup_of_text_and_no_code_of_data(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc"
    assert not re.search(markup, text)
    assert not re.search(r"\beval\b|new Function|setAttribute\(.on", text)
    assert "localStorage" not in text, "the token is for this tab only"
    assert "document.cookie" not in text


@pytest.mark.parametrize("script", SCRIPTS, ids=by_name)
def test_scripts_import_only_each_other(script: Path) -> None:
    for name in re.findall(r'from "([^"]+)"', script.read_text(encoding="utf-8")):
        assert name.startswith(("./", "../"))
        assert (script.parent / name).resolve() in SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=by_name)
def test_scripts_name_only_elements_that_exist(script: Path) -> None:
    ids = {attributes.get("id") for page in PAGES for _tag, attributes in elements(page)}
    for name in re.findall(r'\$\("([^"]+)"\)', script.read_text(encoding="utf-8")):
        assert name in ids


MOST_OWN_BYTES = 200 * 1000
"""What a browser fetches to show the page, before any compression: a second on a slow mobile line."""

MOST_VENDORED_BYTES = 60 * 1000
"""What others wrote, with its licence: the plots."""


def test_the_page_is_small() -> None:
    sizes = {path.relative_to(STATIC).as_posix(): path.stat().st_size for path in STATIC.rglob("*") if path.is_file()}
    vendored = {name: size for name, size in sizes.items() if name.startswith("vendor/")}
    assert sum(sizes.values()) - sum(vendored.values()) < MOST_OWN_BYTES, sizes
    assert 0 < sum(vendored.values()) < MOST_VENDORED_BYTES, vendored


@pytest.mark.parametrize("style", STYLES, ids=by_name)
def test_styles_fetch_nothing(style: Path) -> None:
    assert not re.search(r"url\(|@import", style.read_text(encoding="utf-8"))


def _colours() -> list[dict[str, str]]:
    text = (STATIC / "base.css").read_text(encoding="utf-8")
    return [
        dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\n\s*\}", text, re.S)
    ]


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2, section 1.4.3."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", _colours(), ids=["light", "dark"])
def test_text_has_enough_contrast_in_light_and_dark(colours: dict[str, str]) -> None:
    on_surfaces = [(front, back) for front in ("text", "muted", "ok", "warn", "bad") for back in ("surface", "sunken")]
    on_their_own = [(level, f"{level}-soft") for level in ("ok", "warn", "bad")] + [("on-accent", "accent")]
    on_banners = [("muted", f"{level}-soft") for level in ("ok", "warn", "bad")]
    for front, back in on_surfaces + on_their_own + on_banners + [("accent", "surface"), ("muted", "bg")]:
        assert contrast(colours[front], colours[back]) >= 4.5, (front, back)
    assert contrast(colours["line-strong"], colours["surface"]) >= 3, "borders of fields (section 1.4.11)"
    for line in ("plot-put", "plot-get", "plot-delete"):
        assert contrast(colours[line], colours["surface"]) >= 3, "lines of plots (section 1.4.11)"
