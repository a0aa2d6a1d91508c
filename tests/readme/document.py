"""The README, taken apart: sections, blocks of code, links, pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from attrs import frozen

from tests.harness.processes import TOP

TOUR = "Five minutes"
"""The heading of the section whose commands are run."""

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
_LOCAL_PAGE = re.compile(r"<(?P<url>http://127\.0\.0\.1:\d+/[^>]*)>")
_PICTURE = re.compile(r"!\[[^\]]*\]\((?P<path>[^)]+)\)|<(?:img|source)\b[^>]*\b(?:src|srcset)=\"(?P<source>[^\"]+)\"")
_ANCHOR = re.compile(r"\]\(#(?P<anchor>[^)]+)\)")


@frozen
class Block:
    """One block of code."""

    language: str
    text: str
    line: int
    """Where its text begins, for whoever has to find it."""


@frozen
class Step:
    """What a newcomer pastes, and what then appears."""

    posix: Block
    powershell: Block | None
    """None where the POSIX block serves both shells."""
    printed: str
    pages: tuple[str, ...]
    """Addresses on this machine that the text behind it speaks of."""


def read() -> str:
    return (TOP / "README.md").read_text(encoding="utf-8")


def blocks(readme: str) -> list[Block]:
    return [
        Block(found["language"], found["text"], readme.count("\n", 0, found.start("text")) + 1)
        for found in _FENCE.finditer(readme)
    ]


def beginning(readme: str) -> str:
    """Return what comes before the first section."""
    return readme[: readme.index("\n## ")]


def tour(readme: str) -> list[Step]:
    """Return the steps of the tour, in order."""
    begin = readme.index(f"\n## {TOUR}\n") + 1
    end = readme.index("\n## ", begin)
    first_line = readme.count("\n", 0, begin)
    section = readme[begin:end]
    starts = [found.start() for found in _FENCE.finditer(section) if found["language"] == "sh"]
    return [_step(section, start, stop, first_line) for start, stop in pairwise([*starts, len(section)])]


def _step(section: str, start: int, stop: int, first_line: int) -> Step:
    line = first_line + section.count("\n", 0, start)
    by_language: dict[str, Block] = {}
    for block in blocks(section[start:stop]):
        assert block.language not in by_language, f"README.md:{line + block.line}: a second block of {block.language}"
        by_language[block.language] = Block(block.language, block.text, line + block.line)
    assert by_language.keys() <= {"sh", "powershell", "text"}, f"README.md:{line}: {sorted(by_language)}"
    printed = by_language["text"].text if "text" in by_language else ""
    pages = tuple(found["url"] for found in _LOCAL_PAGE.finditer(_FENCE.sub("", section[start:stop])))
    return Step(by_language["sh"], by_language.get("powershell"), printed, pages)


def pictures(readme: str) -> list[str]:
    """Return the paths of all pictures, relative to the README."""
    return [found["path"] or found["source"] for found in _PICTURE.finditer(_FENCE.sub("", readme))]


def anchors(readme: str) -> set[str]:
    """Return what the README's links within itself point to."""
    return {found["anchor"] for found in _ANCHOR.finditer(_FENCE.sub("", readme))}


def headings(readme: str) -> Iterator[str]:
    """Yield the anchors that the headings have on a forge: lower case, hyphens for blanks, no punctuation."""
    for found in _HEADING.finditer(_FENCE.sub("", readme)):
        yield re.sub(r"[^\w -]", "", found["title"].lower()).replace(" ", "-")
