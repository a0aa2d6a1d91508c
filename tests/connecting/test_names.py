"""Lookups of host names, in threads that hold up nothing."""

import threading

from minicloud.connecting.names import look_up_in_daemon_threads


def test_a_lookup_runs_in_a_thread_that_nobody_joins() -> None:
    class Reactor:
        def installNameResolver(self, resolver):
            self.resolver = resolver

    pool = look_up_in_daemon_threads(Reactor())
    seen, done = [], threading.Event()
    pool.callInThread(lambda: (seen.append(threading.current_thread().daemon), done.set()))
    assert done.wait(10)
    assert seen == [True]
