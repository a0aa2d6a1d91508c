"""How long requests took, in little memory."""

from __future__ import annotations

import math
from collections import Counter

_FINEST_S = 1e-6
_RATIO = 1.01


class Latencies:
    """Counts durations in classes that are 1 % wide: a long run costs no more memory than a short one."""

    def __init__(self) -> None:
        self.count = 0
        self.longest_s = 0.0
        self._classes: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one."""
        self.count += 1
        self.longest_s = max(self.longest_s, seconds)
        self._classes[max(0, math.ceil(math.log(max(seconds, _FINEST_S) / _FINEST_S, _RATIO)))] += 1

    def percentile_s(self, percent: float) -> float | None:
        """Return a duration that so many per cent do not exceed, at most 1 % too long; None where there are none."""
        wanted = max(1, math.ceil(self.count * percent / 100))
        for position in sorted(self._classes):
            wanted -= self._classes[position]
            if wanted <= 0:
                return min(_FINEST_S * _RATIO**position, self.longest_s)
        return None

    def __add__(self, other: Latencies) -> Latencies:
        """Return both together."""
        both = Latencies()
        both.count = self.count + other.count
        both.longest_s = max(self.longest_s, other.longest_s)
        both._classes = self._classes + other._classes
        return both
