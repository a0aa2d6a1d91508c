"""Finding what ships beside the code."""

from configparser import ConfigParser
from pathlib import Path

import pytest

from minicloud import shipped

TOP = Path(__file__).parents[2]


def test_a_checkout_serves_its_own_dashboard() -> None:
    assert shipped.static_folder() == TOP / "static"


@pytest.mark.parametrize("folder", ["static", "configs"])
def test_everything_that_is_there_is_shipped(folder: str) -> None:
    setup = ConfigParser()
    setup.read(TOP / "setup.cfg", encoding="utf-8")
    shipped_files: set[Path] = set()
    for target, patterns in setup["options.data_files"].items():
        found = {file for pattern in patterns.split() for file in TOP.glob(pattern)}
        assert found, f"nothing is shipped to {target}"
        assert {file.parent for file in found} == {TOP / target.removeprefix("share/minicloud/")}
        shipped_files |= found
    there = {path for path in (TOP / folder).rglob("*") if path.is_file()}
    assert there <= shipped_files


def test_a_config_of_the_working_folder_wins_over_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("configs/node1.yaml")
    assert shipped.find_config(path) == TOP / "configs" / "node1.yaml"
    (tmp_path / "configs").mkdir()
    path.write_text("")
    assert shipped.find_config(path) == path


@pytest.mark.parametrize(
    "name", ["configs/nowhere.yaml", "nowhere.yaml", "configs/../setup.cfg", "/configs/node1.yaml", "configs"]
)
def test_a_path_that_leads_nowhere_stays_as_it_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped.find_config(Path(name)) == Path(name)


def test_an_installation_without_the_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lib" / "minicloud"
    monkeypatch.setattr(shipped, "_PACKAGE_FOLDER", package)
    monkeypatch.setattr(shipped, "_PACKAGE", "minicloud-that-nobody-installed")
    monkeypatch.setattr(shipped.sysconfig, "get_path", lambda name, scheme: str(tmp_path / "prefix"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="static of minicloud is missing"):
        shipped.static_folder()
    assert shipped.find_config(Path("configs/node1.yaml")) == Path("configs/node1.yaml")
    folder = tmp_path / "prefix" / "share" / "minicloud" / "static"
    folder.mkdir(parents=True)
    assert shipped.static_folder() == folder
