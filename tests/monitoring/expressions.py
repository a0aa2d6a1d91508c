"""What the rules and the dashboard ask Prometheus for."""

import json
import re

import yaml

from tests.harness.processes import TOP

MONITORING = TOP / "configs" / "monitoring"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "minicloud.json"

OWN_OF_PROMETHEUS = {"up", "ALERTS"}
VARIABLES = {"$__rate_interval": "1m", "$__interval": "1m", "$job": "minicloud", "$instance": ".*"}

_NOISE = (
    r'"[^"]*"',
    r"\{[^}]*\}",
    r"\[[^\]]*\]",
    r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)",
    r"\b\w+\s*(?=\()",
    r"\b(and|or|unless|bool|offset|by|without|on)\b",
)
_NAME = re.compile(r"(?<![\w.])[a-zA-Z_:][\w:]*")


def rules() -> list[dict]:
    """Return all alert rules."""
    return [
        rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]
    ]


def dashboard() -> dict:
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def panels() -> list[dict]:
    """Return the dashboard's panels, without the headings between them."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> dict[str, str]:
    """Return each expression of the dashboard by its place, with the variables filled in."""
    found = {
        f"{panel['title']}: {target['refId']}": target["expr"] for panel in panels() for target in panel["targets"]
    }
    found |= {f"annotation {each['name']}": each["expr"] for each in dashboard()["annotations"]["list"]}
    for variable, value in VARIABLES.items():
        found = {place: expression.replace(variable, value) for place, expression in found.items()}
    return found


def names(expression: str) -> set[str]:
    """Return the names of the series that an expression asks for."""
    for pattern in _NOISE:
        expression = re.sub(pattern, " ", expression)
    return set(_NAME.findall(expression)) - OWN_OF_PROMETHEUS


def matchers(expression: str) -> set[tuple[str, str]]:
    """Return the labels that an expression selects by, each with its series."""
    found = re.findall(r"(\w+)\s*\{([^}]*)\}", re.sub(r'"[^"]*"', '""', expression))
    return {(name, label) for name, inside in found for label in re.findall(r"(\w+)\s*[=!]", inside)}
