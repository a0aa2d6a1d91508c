"""A folder with a config file in it, and a way to load it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from minicloud.config import ConfigError, Settings, load_settings

MINIMAL = "node_id: node1\nlisten_addr: 127.0.0.1:9001\n"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Load a config of that text, added to the two required keys unless it is ``whole``, from its own folder."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str | bytes = "", environ: Mapping[str, str] | None = None, *, whole: bool = False) -> Settings:
        content = text.encode() if isinstance(text, str) else text
        Path("node.yaml").write_bytes(content if whole else MINIMAL.encode() + content)
        return load_settings(Path("node.yaml"), environ or {})

    return load_text


@pytest.fixture
def complaint(load: Callable[..., Settings]) -> Callable[..., str]:
    """Load a config that must be refused, and return the one line that says why."""

    def complain(text: str | bytes = "", environ: Mapping[str, str] | None = None, *, whole: bool = False) -> str:
        with pytest.raises(ConfigError) as caught:
            load(text, environ, whole=whole)
        line = str(caught.value)
        assert "\n" not in line
        return line

    return complain
