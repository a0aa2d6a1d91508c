"""The README's tour, as a newcomer takes it: every command as it is written, by copy and paste."""

import time
from pathlib import Path

from tests.readme import document
from tests.readme.shape import shape
from tests.readme.terminal import Terminal, terminal_in

ORDERLY_END_LIMIT_S = 30
"""A node has ten seconds for requests in flight, and the machine may be busy."""


def test_every_command_prints_what_the_readme_says(tmp_path: Path) -> None:
    steps = document.tour(document.read())
    assert len(steps) > 1
    with terminal_in(tmp_path) as terminal:
        for step in steps:
            take(step, terminal)
        wait_for_the_end_of_all_nodes(tmp_path)


def take(step: document.Step, terminal: Terminal) -> None:
    shown = terminal.paste(step.posix.text)
    expected, seen = shape(step.printed), shape(shown)
    assert seen == expected, f"README.md:{step.posix.line}: after\n{step.posix.text}\nthis appeared:\n{shown}"
    for page in step.pages:
        status = terminal.paste(f"curl --silent --output page.html --write-out '%{{http_code}}' '{page}'")
        assert status == "200", f"{page}, which README.md:{step.posix.line} speaks of afterwards"


def wait_for_the_end_of_all_nodes(folder: Path) -> None:
    """twistd removes the file with its process id when it ends in order."""
    deadline = time.monotonic() + ORDERLY_END_LIMIT_S
    while left := sorted(file.name for file in folder.glob("data/*.pid")):
        assert time.monotonic() < deadline, f"the last step has not ended {left}"
        time.sleep(0.05)
