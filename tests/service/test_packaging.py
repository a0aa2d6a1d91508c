"""Installed in each of the three ways, from any folder: plugin, cloudctl, dashboard and configs are there."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.harness.processes import START_LIMIT_S, TOP, Nodes, nodes_in

SHIPPED = ("minicloud", "twisted", "static", "configs", "setup.cfg", "pyproject.toml", "README.md")
RUN_TWISTD = "from twisted.scripts.twistd import run; run()"
"""What the script twistd does; the environment has borrowed Twisted without its scripts."""

INSTALL_LIMIT_S = 120
"""Building takes a few seconds, and another process may be at it."""


COMPILED_IN_PLACE = {"PYTHONPYCACHEPREFIX": ""}
"""pip leaves the compiled modules in the environment that it installs into, as it does for everybody."""


class Installation:
    """An environment of its own, which borrows the dependencies of this one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False, symlinks=os.name != "nt")
        self.scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.scripts / ("python.exe" if os.name == "nt" else "python")
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        (site / "zz_borrowed.pth").write_text(sysconfig.get_path("purelib"))

    def pip(self, *arguments: str) -> None:
        """Run pip for this environment, without the network."""
        options = ("--disable-pip-version-check", "--no-deps", "--no-index", "--no-build-isolation", "--quiet")
        command = [sys.executable, "-m", "pip", "--python", str(self.python), *arguments[:1], *options, *arguments[1:]]
        done = subprocess.run(
            command,
            env={**os.environ, **COMPILED_IN_PLACE},
            capture_output=True,
            text=True,
            timeout=INSTALL_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run one of its scripts in a folder that has nothing to do with it."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MINICLOUD"))}
        return subprocess.run(
            command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=START_LIMIT_S, check=False
        )

    def script(self, name: str) -> str:
        """Return the path of an installed script."""
        found = shutil.which(name, path=str(self.scripts))
        assert found is not None, f"{name} is not installed"
        return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a copy of what is built from: building leaves traces."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name in SHIPPED:
        if (TOP / name).is_dir():
            shutil.copytree(TOP / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"))
        elif (TOP / name).exists():
            shutil.copy(TOP / name, folder / name)
    return folder


@pytest.mark.parametrize("way", ["pip install .", "pip install wheel", "pip install -e ."])
def test_a_node_and_cloudctl_run_from_any_folder(way: str, source: Path, tmp_path: Path) -> None:
    installation = Installation(tmp_path / "environment")
    if way == "pip install .":
        installation.pip("install", str(source))
    elif way == "pip install wheel":
        installation.pip("wheel", "--wheel-dir", str(tmp_path / "wheels"), str(source))
        installation.pip("install", *map(str, (tmp_path / "wheels").glob("*.whl")))
    else:
        installation.pip("install", "--editable", str(source))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with nodes_in(elsewhere) as nodes:
        check_node(nodes, installation)
    told = installation.run(installation.script("cloudctl"), "--help", cwd=elsewhere)
    assert told.returncode == 0, told.stderr


def check_node(nodes: Nodes, installation: Installation) -> None:
    """Start a node from a config that only the installation has."""
    _, port = nodes.write_config("unused")
    raft_port = int((nodes.folder / "unused.yaml").read_text().rsplit(":", 1)[1].strip().strip('"'))
    command = (str(installation.python), "-c", RUN_TWISTD, "-n", "minicloud")
    addresses = {
        "MINICLOUD_LISTEN_ADDR": f"127.0.0.1:{port}",
        "MINICLOUD_RAFT_ADDR": f"127.0.0.1:{raft_port}",
    }
    own = {"PYTHONPATH": "", **COMPILED_IN_PLACE}
    node = nodes.start("configs/node1.yaml", port, command, **own, **addresses).wait_ready()
    status, page = node.ask("GET", "/dashboard")
    assert status == 200
    assert b"<html" in page
    for path in (TOP / "static").rglob("*"):
        if path.is_file():
            name = path.relative_to(TOP / "static").as_posix()
            assert node.ask("GET", f"/static/{name}") == (200, path.read_bytes()), name
    assert node.end() == 0
    assert "dropin" not in node.log


def test_every_config_is_in_the_wheel_and_in_the_source_archive(source: Path, tmp_path: Path) -> None:
    for kind in ("sdist", "wheel"):
        build = f"import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
        command = [sys.executable, "-c", build, str(tmp_path)]
        subprocess.run(command, cwd=source, capture_output=True, timeout=INSTALL_LIMIT_S, check=True)
    expected = {path.relative_to(TOP).as_posix() for path in (TOP / "configs").rglob("*") if path.is_file()}
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name.partition(".data/data/share/minicloud/")[2] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in packed if name.startswith("configs/")} == expected
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as unpacked:
        packed = {name.partition("/")[2] for name in unpacked.getnames()}
    assert expected <= packed
