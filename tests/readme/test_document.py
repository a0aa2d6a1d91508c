"""What the README promises about itself."""

import shutil
import subprocess

import pytest

from tests.harness.processes import TOP
from tests.readme import document
from tests.readme.twins import posix_commands, powershell_commands

POWERSHELL_LIMIT_S = 60

FIND_ERRORS = """
$errors = $null
[void][System.Management.Automation.Language.Parser]::ParseInput([Console]::In.ReadToEnd(), [ref]$null, [ref]$errors)
$errors | ForEach-Object { "$($_.Extent.StartLineNumber): $($_.Message)" }
"""

README = document.read()
STEPS = document.tour(README)
PAIRS = [step for step in STEPS if step.powershell is not None]


def where(step: document.Step) -> str:
    return f"README.md-{step.posix.line}"


def test_it_begins_with_a_picture_and_two_commands() -> None:
    head = document.beginning(README)
    assert document.pictures(head)
    posix, powershell = document.blocks(head)
    for block in (posix, powershell):
        install, start = block.text.splitlines()
        assert "pip install ." in install
        assert "twistd -n minicloud --config configs" in start
    assert f"{' && '.join(posix.text.splitlines())}\n" in README, "and it can be had in one line"


@pytest.mark.parametrize("path", sorted(set(document.pictures(README))))
def test_every_picture_is_there(path: str) -> None:
    assert (TOP / path).is_file(), f"README.md shows {path}"


def test_every_link_within_it_leads_somewhere() -> None:
    assert document.anchors(README) - set(document.headings(README)) == set()


@pytest.mark.parametrize("step", PAIRS, ids=where)
def test_both_shells_have_the_same_commands(step: document.Step) -> None:
    assert step.powershell is not None
    assert powershell_commands(step.powershell.text) == posix_commands(step.posix.text)


@pytest.mark.parametrize("step", [step for step in STEPS if step.powershell is None], ids=where)
def test_what_has_no_twin_is_the_same_in_both_shells(step: document.Step) -> None:
    for command in step.posix.text.splitlines():
        assert command.startswith("cloudctl ")
        assert not set(command) & set("$'`|<>;&(){}*?#@\\"), "means something else in one of the shells"


@pytest.mark.parametrize("step", STEPS, ids=where)
def test_no_pasted_line_has_a_comment(step: document.Step) -> None:
    assert " #" not in f" {step.posix.text}".replace("\n", " "), "an interactive zsh takes it for arguments"


def test_powershell_can_read_all_its_commands() -> None:
    program = shutil.which("pwsh") or shutil.which("powershell")
    if program is None:
        pytest.skip("no PowerShell here")
    told = subprocess.run(
        [program, "-NoProfile", "-NonInteractive", "-Command", FIND_ERRORS],
        input="".join(block.text for block in document.blocks(README) if block.language == "powershell"),
        capture_output=True,
        text=True,
        timeout=POWERSHELL_LIMIT_S,
        check=True,
    )
    assert told.stdout.strip() == ""
