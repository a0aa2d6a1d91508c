"""The settings of a node: every key of its YAML file and of its environment, checked before anything starts.

:func:`load_settings` is the way in. What it returns needs no further check; what it raises is one line for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from minicloud.addresses import MAX_PORT, Address
from minicloud.config.reader import KeyReader
from minicloud.config.sources import Sourced, read_environment, read_file
from minicloud.wire.limits import MAX_VALUE_BYTES_LIMIT

RAFT_PORT_OFFSET = 10
"""Peers listen this far above the HTTP port where ``raft_addr`` is not given (9001 → 9011)."""

DEFAULT_MAX_VALUE_BYTES = 1024 * 1024
DEFAULT_ELECTION_TIMEOUT_MS = (500, 1000)
DEFAULT_HEARTBEAT_MS = 100
DEFAULT_SNAPSHOT_ENTRIES = 10_000
DEFAULT_SNAPSHOT_TRAILING_ENTRIES = 5_000

MIN_HEARTBEAT_MS = 10
"""A heartbeat costs each member a line and a write; below this the timer itself is the load."""

MAX_TIMEOUT_MS = 600_000
"""Ten minutes without a leader is beyond what anybody means."""

HEARTBEATS_PER_ELECTION_TIMEOUT = 3
"""The shortest election timeout outlasts this many heartbeats: one lost line deposes nobody (paper, section 5.6)."""

MAX_SNAPSHOT_ENTRIES = 10_000_000
"""Above this, a restart would replay the log for minutes."""

MAX_TOKEN_BYTES = 4096
"""A token travels in a header, and servers refuse header lines not much longer than this."""

_TEXT_KEYS = (
    "node_id", "listen_addr", "raft_addr", "advertise_addr", "data_dir", "auth_token", "cluster_secret",
    "follower_writes", "log_format",
)  # fmt: skip
_LIST_KEYS = ("join_url", "allowed_hosts")
_YAML_KEYS = (
    "bootstrap", "auth_reads", "allow_open_writes", "max_value_bytes", "election_timeout_ms", "heartbeat_ms",
    "snapshot_entries", "snapshot_trailing_entries", "tls",
)  # fmt: skip
_SECRET_KEYS = ("auth_token", "cluster_secret")
_ALIASES = {"AUTH_TOKEN": "auth_token"}


@frozen
class TlsSettings:
    """Certificates, as paths of PEM files. ``cert`` and ``key`` go together, and so do the three for peers."""

    cert: Path | None = None
    """Certificate chain that the HTTP port shows."""
    key: Path | None = None
    ca: Path | None = None
    """Whom to trust when this node itself asks other members over HTTPS; None is the system's own list."""
    peer_cert: Path | None = None
    """Certificate that this node shows to peers, whichever side dialled."""
    peer_key: Path | None = None
    peer_ca: Path | None = None
    """Who must have signed the certificate of a peer."""

    @property
    def serves_https(self) -> bool:
        """Whether the HTTP port speaks TLS."""
        return self.cert is not None

    @property
    def protects_peers(self) -> bool:
        """Whether the links between peers are mutual TLS."""
        return self.peer_cert is not None


@frozen
class Settings:
    """One field for each key of a config file, with every default filled in."""

    node_id: str
    listen_addr: Address
    raft_addr: Address
    advertise_addr: Address
    data_dir: Path
    bootstrap: bool = False
    join_url: tuple[str, ...] = ()
    """HTTP bases without a slash at the end."""
    auth_token: str = field(default="", repr=False)
    auth_reads: bool = False
    allow_open_writes: bool = False
    cluster_secret: str = field(default="", repr=False)
    allowed_hosts: tuple[str, ...] | None = None
    """None for the default: literal addresses, localhost and this node's own names."""
    follower_writes: str = "redirect"
    """``redirect`` or ``forward``."""
    max_value_bytes: int = DEFAULT_MAX_VALUE_BYTES
    election_timeout_ms: tuple[int, int] = DEFAULT_ELECTION_TIMEOUT_MS
    """Shortest and longest."""
    heartbeat_ms: int = DEFAULT_HEARTBEAT_MS
    snapshot_entries: int = DEFAULT_SNAPSHOT_ENTRIES
    snapshot_trailing_entries: int = DEFAULT_SNAPSHOT_TRAILING_ENTRIES
    log_format: str = "text"
    """``text`` or ``json``."""
    tls: TlsSettings = TlsSettings()

    @property
    def http_base(self) -> str:
        """The URL under which others reach this node's HTTP port."""
        return f"{'https' if self.tls.serves_https else 'http'}://{self.advertise_addr}"


def load_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a YAML file and the environment: environment over file, file over defaults.

    Raises ConfigError, one line that names the file (or the variable), the key and what was expected. Reads the file
    and looks whether the files it names are there; writes nothing.
    """
    values: dict[str, Sourced] = read_file(path)
    reader = KeyReader(str(path), values, secret_keys=_SECRET_KEYS)
    reader.refuse_unknown((*_TEXT_KEYS, *_LIST_KEYS, *_YAML_KEYS))
    values |= read_environment(
        environ, text_keys=_TEXT_KEYS, list_keys=_LIST_KEYS, yaml_keys=_YAML_KEYS, aliases=_ALIASES
    )
    settings = _read_settings(reader)
    _check_addresses(reader, settings)
    _check_exposure(reader, settings)
    _check_timeouts(reader, settings)
    return settings


def _read_settings(reader: KeyReader) -> Settings:
    node_id = reader.identifier("node_id")
    listen_addr = reader.required_address("listen_addr")
    advertise_addr = reader.address("advertise_addr", listen_addr)
    return Settings(
        node_id=node_id,
        listen_addr=listen_addr,
        advertise_addr=advertise_addr,
        raft_addr=_raft_addr(reader, listen_addr, advertise_addr),
        data_dir=reader.folder("data_dir", Path("data") / node_id),
        bootstrap=reader.boolean("bootstrap"),
        join_url=reader.http_bases("join_url"),
        auth_token=reader.token("auth_token", MAX_TOKEN_BYTES),
        auth_reads=reader.boolean("auth_reads"),
        allow_open_writes=reader.boolean("allow_open_writes"),
        cluster_secret=reader.text("cluster_secret"),
        allowed_hosts=reader.host_names("allowed_hosts"),
        follower_writes=reader.choice("follower_writes", ("redirect", "forward")),
        max_value_bytes=reader.integer("max_value_bytes", DEFAULT_MAX_VALUE_BYTES, 1, MAX_VALUE_BYTES_LIMIT),
        election_timeout_ms=reader.integer_pair("election_timeout_ms", DEFAULT_ELECTION_TIMEOUT_MS, 1, MAX_TIMEOUT_MS),
        heartbeat_ms=reader.integer("heartbeat_ms", DEFAULT_HEARTBEAT_MS, MIN_HEARTBEAT_MS, MAX_TIMEOUT_MS),
        snapshot_entries=reader.integer("snapshot_entries", DEFAULT_SNAPSHOT_ENTRIES, 1, MAX_SNAPSHOT_ENTRIES),
        snapshot_trailing_entries=reader.integer(
            "snapshot_trailing_entries", DEFAULT_SNAPSHOT_TRAILING_ENTRIES, 0, MAX_SNAPSHOT_ENTRIES
        ),
        log_format=reader.choice("log_format", ("text", "json")),
        tls=_tls(reader.nested("tls")),
    )


def _raft_addr(reader: KeyReader, listen_addr: Address, advertise_addr: Address) -> Address:
    """Where peers listen: beside HTTP, under the name that others use where HTTP itself listens on every interface."""
    host = (advertise_addr if listen_addr.is_wildcard else listen_addr).host
    derived = Address(host, listen_addr.port + RAFT_PORT_OFFSET)
    raft_addr = reader.address("raft_addr", derived)
    if raft_addr is derived and derived.port > MAX_PORT:
        raise reader.error("raft_addr", f"host:port; {derived.port}, the HTTP port + {RAFT_PORT_OFFSET}, is no port")
    return raft_addr


def _tls(reader: KeyReader) -> TlsSettings:
    names = ("cert", "key", "ca", "peer_cert", "peer_key", "peer_ca")
    reader.refuse_unknown(names)
    files = {name: reader.existing_file(name) for name in names}
    for together in (("cert", "key"), ("peer_cert", "peer_key", "peer_ca")):
        missing = [name for name in together if files[name] is None]
        if 0 < len(missing) < len(together):
            raise reader.error(missing[0], f"a PEM file: {', '.join(together)} go together")
    return TlsSettings(**files)


def _check_addresses(reader: KeyReader, settings: Settings) -> None:
    if settings.advertise_addr.is_wildcard:
        if reader.has("advertise_addr"):
            raise reader.error(
                "advertise_addr", f"an address that others can connect to, not {settings.advertise_addr.host}"
            )
        raise reader.error(
            "advertise_addr", f"host:port that others use for this node, because listen_addr is {settings.listen_addr}"
        )
    if settings.raft_addr.is_wildcard:
        raise reader.error(
            "raft_addr",
            f"an address that other nodes can connect to, not {settings.raft_addr.host}; use this node's IP or name",
        )
    same_host = settings.raft_addr.host == settings.listen_addr.host or settings.listen_addr.is_wildcard
    if same_host and settings.raft_addr.port == settings.listen_addr.port:
        raise reader.error("raft_addr", f"another port than listen_addr ({settings.listen_addr})")


def _check_exposure(reader: KeyReader, settings: Settings) -> None:
    open_to_others = not settings.listen_addr.is_loopback
    if open_to_others and not settings.auth_token and not settings.allow_open_writes:
        raise reader.error(
            "auth_token",
            f"a token, because listen_addr {settings.listen_addr} can be reached from other machines "
            "(AUTH_TOKEN sets it; allow_open_writes: true goes without)",
        )
    if settings.auth_reads and not settings.auth_token:
        raise reader.error("auth_token", "a token, because auth_reads is true")
    if not settings.raft_addr.is_loopback and not settings.cluster_secret:
        raise reader.error(
            "cluster_secret",
            f"a secret that all nodes share, because raft_addr {settings.raft_addr} can be reached from other machines "
            "(MINICLOUD_CLUSTER_SECRET sets it)",
        )


def _check_timeouts(reader: KeyReader, settings: Settings) -> None:
    shortest, longest = settings.election_timeout_ms
    if shortest >= longest:
        raise reader.error(
            "election_timeout_ms", f"[shortest, longest] with room between them for chance, got [{shortest}, {longest}]"
        )
    most = shortest // HEARTBEATS_PER_ELECTION_TIMEOUT
    if settings.heartbeat_ms > most:
        raise reader.error(
            "heartbeat_ms",
            f"at most {most}, a third of the shortest election timeout ({shortest} ms), got {settings.heartbeat_ms}",
        )
