"""A node as a process: the only place where its parts are put together.

``command`` is what ``twistd minicloud`` and ``twist minicloud`` call; ``node_service`` starts and stops a whole node;
``ports`` binds before anything touches the disk; ``assembly`` puts the parts together; ``founding``, ``joining`` and
``cluster_check`` are about which cluster a node is in; ``signals``, ``clock`` and ``reactor_lag`` deal with what a
process and a reactor are; ``health`` asks from outside.
"""
