"""Where settings come from: a YAML file and the environment. Each value remembers its origin."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen

ENVIRONMENT_PREFIX = "MINICLOUD_"

MAX_FILE_BYTES = 1024 * 1024
"""A config file of a node has a few hundred bytes; whatever is larger than this is another file, named by mistake."""


class ConfigError(Exception):
    """A setting that a node cannot start with. The text is one line: where, which key, what was expected."""


@frozen
class Sourced:
    """A value, and where it was found."""

    value: Any
    origin: str
    """``configs/node1.yaml: heartbeat_ms`` or ``environment: MINICLOUD_HEARTBEAT_MS``: how messages begin."""


def read_file(path: Path) -> dict[str, Sourced]:
    """Return what a YAML config file says, key by key.

    Raises ConfigError for a file that is missing, unreadable or no mapping, and for a key that stands in it twice.
    """
    document = _parse(path, _read(path))
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a YAML mapping of keys to values, got {describe(document)}")
    for key in document:
        if not isinstance(key, str):
            raise ConfigError(f"{path}: expected keys that are words, got {describe(key)}")
    return {key: Sourced(value, f"{path}: {key}") for key, value in document.items()}


def read_environment(
    environ: Mapping[str, str],
    *,
    text_keys: Collection[str],
    list_keys: Collection[str],
    yaml_keys: Collection[str],
    aliases: Mapping[str, str],
) -> dict[str, Sourced]:
    """Return what the environment says: ``MINICLOUD_<KEY>`` for each key, and ``aliases`` (variable to key), which win.

    ``text_keys`` are taken as they stand, ``list_keys`` too unless they begin with a bracket; those, and ``yaml_keys``,
    are read as YAML. An empty variable counts as not set: a container engine passes one on for each that its own
    environment lacks, and it must not undo a token. Variables that name no key are left alone; Kubernetes makes
    ``MINICLOUD_PORT`` and the like by itself.
    """
    found: dict[str, Sourced] = {}
    for key in (*text_keys, *list_keys, *yaml_keys):
        name = ENVIRONMENT_PREFIX + key.upper()
        text = environ.get(name)
        if text:
            origin = f"environment: {name}"
            is_yaml = key in yaml_keys or (key in list_keys and text.lstrip().startswith("["))
            found[key] = Sourced(_parse(origin, text.encode()) if is_yaml else text, origin)
    for name, key in aliases.items():
        if environ.get(name):
            found[key] = Sourced(environ[name], f"environment: {name}")
    return found


def describe(value: Any) -> str:
    """Return a few words for a value, in a message that says what was found in place of what was expected."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


_LONGEST_QUOTE = 60
"""Characters of a wrong value that a message repeats: enough to find it, and the line stays a line."""


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; expected a YAML config such as configs/node1.yaml") from None
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable file: {error.strerror or error}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: expected a YAML config of at most {MAX_FILE_BYTES} bytes")
    return content


def _parse(origin: Path | str, content: bytes) -> Any:
    """Bytes, so that PyYAML itself sees the byte order mark that PowerShell puts first (UTF-8 or UTF-16)."""
    try:
        return yaml.load(content, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{origin}: {where}expected valid YAML: {_one_line(error.problem or error)}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{origin}: expected valid YAML: {_one_line(error)}") from None


def _one_line(problem: object) -> str:
    return " ".join(str(problem).split())


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without its leniency towards a key that stands twice: the last one would win in silence."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Make a value, and say where it stands if there is none such (the 45th of a month, say)."""
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key_node, _ in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a list or a mapping is no key", key_node.start_mark)
        if key_node.value in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key_node.value!r} stands here twice", key_node.start_mark
            )
        seen.add(key_node.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)
