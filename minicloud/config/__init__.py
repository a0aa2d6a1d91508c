"""The settings of a node: its YAML file and its environment, checked before anything starts.

``sources`` reads both and remembers where each value stood, ``reader`` has one check for each kind of value,
``settings`` names the keys, their defaults and what must fit together.
"""

from __future__ import annotations

from minicloud.config.settings import Settings, TlsSettings, load_settings
from minicloud.config.sources import ConfigError

__all__ = ["ConfigError", "Settings", "TlsSettings", "load_settings"]
