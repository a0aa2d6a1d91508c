"""Looking up host names without keeping the end of the process waiting."""

from __future__ import annotations

from functools import partial
from threading import Thread
from typing import Any

from twisted.internet._resolver import GAIResolver
from twisted.python.threadpool import ThreadPool

_MAX_LOOKUPS = 10
"""At the same time; as many as Twisted itself allows."""


def look_up_in_daemon_threads(reactor: Any) -> ThreadPool:
    """Make ``reactor`` look up host names in threads that end with the process, and return their pool.

    ``getaddrinfo`` may block for a long time where a name server is silent, as that of a container network is for the
    name of a container that is down, and nothing can interrupt it. Twisted's own threads are joined when the reactor
    stops: a node that has long finished would stay until the last lookup gives up. These are not joined by anybody.
    """
    pool = ThreadPool(minthreads=0, maxthreads=_MAX_LOOKUPS, name="host names")
    # Twisted declares a class there, and calls it to make a thread.
    vars(pool)["threadFactory"] = partial(Thread, daemon=True)
    pool.start()
    reactor.installNameResolver(GAIResolver(reactor, lambda: pool))
    return pool
