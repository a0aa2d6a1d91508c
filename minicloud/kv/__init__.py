"""The replicated state machine: commands, and the ordered store with its revisions that applies them.

Everything here is deterministic: equal commands at equal indexes make equal stores, on every member. It knows nothing
of consensus, files or clocks; what a command needs of the outside world is in the command.
"""
