"""Whether a data folder belongs to the cluster that the settings lead to."""

from __future__ import annotations

import json
from collections.abc import Sequence

from minicloud.client.exchange import NoAnswer, NotSent, Request
from minicloud.service.errors import StartError
from minicloud.service.joining import Asking

ANSWER_LIMIT_S = 1.0
"""How long a member may take to say which cluster it is in. It has that at hand; and a node that is started again must
not wait long for members that are down."""

MAX_ASKED = 3
"""How many members are waited for: if these don't answer, the next ones hardly will, and the links will find it out."""

_STATUS = Request("GET", "/cluster/status")


async def check_cluster(bases: Sequence[str], cluster_id: str, data_dir: str, *, token: str, exchange: Asking) -> None:
    """Raise StartError where the first member that answers is in another cluster than the data folder.

    ``bases``: HTTP base URLs of members. ``cluster_id``: of the data folder, empty where it is in none yet. Where
    nobody answers, nothing is said: peers of another cluster are refused in the handshake as well.
    """
    if not cluster_id:
        return
    for base in bases[:MAX_ASKED]:
        theirs = await _cluster_of(base, token, exchange)
        if theirs and theirs != cluster_id:
            raise StartError(
                f"data_dir: expected a data folder of the cluster that join_url leads to ({theirs} at {base}), "
                f"{data_dir} is of cluster {cluster_id}"
            )
        if theirs:
            return


async def _cluster_of(base: str, token: str, exchange: Asking) -> str:
    """Return the id of the cluster that a member is in, empty where it doesn't say."""
    try:
        answer = await exchange.send(base, _STATUS, token, ANSWER_LIMIT_S)
        found = json.loads(answer.body)["cluster_id"] if answer.status == 200 else ""
    except (NotSent, NoAnswer, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""
