"""Percentiles."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many per cent of all do not exceed; 0 where there are none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


def median(values: Sequence[float]) -> float:
    return percentile(values, 50)
