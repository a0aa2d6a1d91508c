"""The check of the containers, where there is nothing that it could check with."""

import subprocess
import sys
from pathlib import Path


def test_without_an_engine_it_says_so_in_one_line_and_by_its_status(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).with_name("check.py"))]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 77
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith("no container engine works here")
