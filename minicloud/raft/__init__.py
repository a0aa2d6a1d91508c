"""Consensus as a pure state machine.

The sources are Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm (Extended Version)",
called *the paper*, and Ongaro's dissertation "Consensus: Bridging Theory and Practice", called *the thesis*.

Input is a method call on :class:`~minicloud.raft.core.Raft` (``tick``, ``step``, ``propose``, ``read_index``,
``change_configuration``, ``transfer_leadership``, …); output is one :class:`~minicloud.raft.ready.Ready` at a time, that the
driver carries out in the order of its fields and then confirms with ``advance``. Nothing here reads a clock, draws from
a global random source, touches a file or a socket, or logs.
"""
