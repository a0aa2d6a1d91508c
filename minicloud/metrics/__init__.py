"""What is measured, under the names of the contract.

``counted``: what happens, counted where it happens, and how all of it is shown to Prometheus. ``gauges``: what merely
is, asked of the node when somebody looks.
"""

from __future__ import annotations

from minicloud.metrics.counted import Metrics
from minicloud.metrics.gauges import NodeGauges

__all__ = ["Metrics", "NodeGauges"]
