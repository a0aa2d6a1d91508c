"""What a node keeps on disk: who it is, its term and vote, its log, and its snapshots.

:class:`~minicloud.storage.storage.Storage` is the room's face. It reaches the disk only through
:class:`~minicloud.storage.files.Files`, which has two forms under one contract: the real one, and one in memory that
knows what a power loss would leave and fails on request.

The data folder::

    lock                     locked while a process uses the folder
    identity.json            cluster id, node id, instance id; written last when a folder is made
    hard_state               term and vote
    log/<number>.log         segments of the log, numbered without gaps from the oldest that is needed
    snapshots/<index>-<term>.snapshot
    *.tmp                    not finished; removed at the next start

Four rules make a crash at any moment harmless:

- A file appears under its own name only when it is whole: written as ``.tmp``, synced, renamed, folder synced. Only the
  newest segment of the log is ever written to afterwards, and only at its end.
- Every record has a checksum over its bytes *and its place*, so nothing is taken for a record that is not, wherever a
  disk may have put it.
- Each log record says how far the segment was known to be on disk when it was written. That tells a write that a power
  loss cut short (harmless: nobody was answered) from damage (refused): see :mod:`minicloud.storage.segment`.
- Things are removed only after that what replaces them is on disk, the oldest first.
"""
