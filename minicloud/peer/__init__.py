"""The links between nodes: lines of JSON over TCP, opened by a handshake in which both ends prove the cluster secret.

Each node dials each other member and prefers to speak on the link that it dialled; it hears on both. Where only the
link that the other side dialled is up, it answers on that one: so a new node can answer the leader that dials it before
it knows any address. Empty lines keep idle links from being taken for dead ones.

:mod:`minicloud.peer.interface` is what the driver sees of all this, :mod:`minicloud.peer.links` does it;
:mod:`minicloud.peer.handshake` explains how a link opens, :mod:`minicloud.peer.admission` who may come in.
"""
