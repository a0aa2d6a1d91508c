"""Types, style and formatting: the same commands that a person would type, over all that is written in Python."""

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["mypy", "--strict"], id="mypy --strict"),
        pytest.param(["ruff", "check", "minicloud", "twisted", "tests"], id="ruff check"),
        pytest.param(["ruff", "format", "--check", "minicloud", "twisted", "tests"], id="ruff format --check"),
    ],
)
def test_it_is_clean(arguments: list[str]) -> None:
    checked = subprocess.run([sys.executable, "-m", *arguments], cwd=TOP, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_file_is_longer_than_a_head_can_hold() -> None:
    too_long = {
        str(path.relative_to(TOP)): length
        for path in sorted((TOP / "minicloud").rglob("*.py"))
        if (length := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert too_long == {}
