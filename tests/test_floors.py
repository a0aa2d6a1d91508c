"""The floors of the house: who may import whom (the contracts are in pyproject.toml)."""

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[1]
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def test_every_room_imports_only_from_lower_floors() -> None:
    checked = subprocess.run([sys.executable, "-c", LINT], cwd=TOP, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
