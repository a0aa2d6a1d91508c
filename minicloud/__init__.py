"""minicloud: a small distributed key-value service on Raft consensus and Twisted.

The rooms, from the ground up (a room imports only from lower floors):

- ``raft`` and ``kv``: consensus and the replicated store, pure state machines that know nothing of each other;
- ``wire``: their messages, entries and commands as lines of JSON;
- ``storage`` and ``peer``: what is on disk, and the links between nodes;
- ``node``: the driver, the one place where consensus decides what is written, sent, applied and answered;
- ``web``, ``client`` and ``cli``: HTTP from both ends;
- ``config``, ``metrics``, ``logs`` and ``service``: settings, and where the objects are put together.
"""

__version__ = "0.1.0"
