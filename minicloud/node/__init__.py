"""The driver: the one place where what consensus decides is written, sent, applied and answered.

:class:`~minicloud.node.node.Node` is its public face. It takes its clock, its random source, its storage and its links as
arguments, and touches no socket and no file itself.
"""
