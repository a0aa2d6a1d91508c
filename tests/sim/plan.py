"""What happens in a run, drawn from its seed: the settings, the faults, and what clients ask.

A plan is data. What it says of whom is resolved when the moment has come (``pick``: the leader, or one of those that
run), so that any part of a plan can be left out, and the rest still means something. That is how a failing run is shrunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from attrs import evolve, frozen

from tests.sim.faults import FAULTS
from tests.sim.settings import SimSettings

LENGTH_S = (1.5, 5.0)
"""How long faults go on, in simulated seconds."""

REQUESTS = (40, 110)
"""How many requests clients make meanwhile."""

FAULTS_A_RUN = (2, 16)

KINDS_A_RUN = (1, 8)
"""A run has few kinds of faults, so that each is met alone and in each company."""


LONG_SHARE = 0.3
"""How many faults last for several election timeouts, and not for one at most."""


@frozen
class Fault:
    """One fault."""

    at_s: float
    kind: str
    pick: float
    """From 0 to 1: whom it meets."""
    for_s: float
    """How long it lasts."""
    amount: float
    """From 0 to 1: how bad it is."""

    def __str__(self) -> str:
        return f"at {self.at_s:.3f} s: {self.kind} (pick {self.pick:.2f}, for {self.for_s:.2f} s, amount {self.amount:.2f})"


@frozen
class Request:
    """One request of a client."""

    at_s: float
    kind: str
    """``put``, ``delete``, ``get``, ``stale``, ``newer``."""
    key: str
    pick: float
    """From 0 to 1: through which node."""
    condition: str = ""
    size_bytes: int = 0

    def __str__(self) -> str:
        return f"at {self.at_s:.3f} s: {self.kind} {self.key} {self.condition} (pick {self.pick:.2f})"


@frozen
class Plan:
    """Everything that a run is made of, but the chance of links and disks, which ``seed`` decides too."""

    seed: int
    settings: SimSettings
    faults: tuple[Fault, ...]
    requests: tuple[Request, ...]
    length_s: float

    def only(self, faults: Sequence[Fault], requests: Sequence[Request]) -> Plan:
        """Return the plan with a part of what happens."""
        return evolve(self, faults=tuple(faults), requests=tuple(requests))


def draw_plan(seed: int, nodes: Sequence[int] = (3, 5), kinds: Sequence[str] = tuple(FAULTS)) -> Plan:
    """Return the plan of a seed; ``nodes`` are numbers of voters to choose from, ``kinds`` the faults."""
    random = Random(seed * 2 + 1)
    settings = _settings(random, nodes)
    length_s = random.uniform(*LENGTH_S)
    chosen = random.sample(list(kinds), min(len(kinds), random.randint(*KINDS_A_RUN))) if kinds else []
    faults = [_fault(random, chosen, length_s) for _ in range(random.randint(*FAULTS_A_RUN))] if chosen else []
    requests = _requests(random, settings, length_s)
    return Plan(seed, settings, tuple(sorted(faults, key=_at)), tuple(sorted(requests, key=_at)), length_s)


def _at(item: Fault | Request) -> float:
    return item.at_s


def _settings(random: Random, nodes: Sequence[int]) -> SimSettings:
    return SimSettings(
        voters=random.choice(list(nodes)),
        snapshot_entries=random.choice((8, 20, 20, 60)),
        snapshot_trailing_entries=random.choice((0, 3, 10)),
        segment_bytes=random.choice((1024, 4096)),
        keys=random.choice((1, 2, 4, 8)),
        small_messages=random.random() < 0.2,
        large_values=random.random() < 0.02,
    )


def _fault(random: Random, kinds: Sequence[str], length_s: float) -> Fault:
    long = random.random() < LONG_SHARE
    return Fault(
        at_s=random.uniform(0.2, length_s),
        kind=random.choice(list(kinds)),
        pick=random.random(),
        for_s=random.uniform(1.0, 3.0) if long else random.expovariate(3.0),
        amount=random.random(),
    )


def _requests(random: Random, settings: SimSettings, length_s: float) -> list[Request]:
    """Draw requests in bursts: some meet a turn of the reactor together, some the middle of an election."""
    count = random.randint(*REQUESTS)
    reads = random.choice((0.2, 0.4, 0.6))
    requests: list[Request] = []
    while len(requests) < count:
        at_s = random.uniform(0.1, length_s)
        for _ in range(random.choice((1, 1, 1, 2, 4, 8))):
            requests.append(_request(random, settings, at_s + random.choice((0.0, 0.0, 0.002, 0.02)), reads))
    return requests


def _request(random: Random, settings: SimSettings, at_s: float, reads: float) -> Request:
    key = f"k{random.randrange(settings.keys)}"
    pick = random.random()
    if random.random() < reads:
        return Request(at_s, random.choice(("get", "get", "get", "get", "stale", "newer")), key, pick)
    kind = random.choice(("put", "put", "put", "delete"))
    condition = random.choice(("", "", "revision", "absent" if kind == "put" else "revision"))
    size = 60_000 if settings.large_values and random.random() < 0.3 else random.choice((0, 0, 0, 40, 700))
    return Request(at_s, kind, key, pick, condition, size if kind == "put" else 0)
