"""The ``minicloud`` command of twistd and twist. It names what it starts and imports none of it."""

from twisted.application.service import ServiceMaker

minicloud = ServiceMaker(
    "minicloud", "minicloud.service.command", "A node of a distributed key-value store on Raft consensus.", "minicloud"
)
