"""Plans that have shown a bug once, kept as data: a seed alone would mean something else when plans are drawn differently."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from tests.sim.plan import Fault, Plan, Request
from tests.sim.settings import SimSettings

FOLDER = Path(__file__).parent / "kept"


@frozen
class Kept:
    """A plan, and why it is kept."""

    story: str
    """What the bug was, and what it did in this plan."""
    plan: Plan


def to_json(plan: Plan, story: str) -> str:
    """Return what ``load`` reads."""
    return json.dumps({"story": story, "plan": asdict(plan)}, indent=1) + "\n"


def load(path: Path) -> Kept:
    """Return a plan that was kept."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    plan = content["plan"]
    settings = plan["settings"]
    settings["election_timeout_ms"] = tuple(settings["election_timeout_ms"])
    return Kept(
        content["story"],
        Plan(
            plan["seed"],
            SimSettings(**settings),
            tuple(Fault(**fault) for fault in plan["faults"]),
            tuple(Request(**request) for request in plan["requests"]),
            plan["length_s"],
        ),
    )


def all_kept() -> list[Path]:
    """Return the files of all kept plans, by name."""
    return sorted(FOLDER.glob("*.json"))
