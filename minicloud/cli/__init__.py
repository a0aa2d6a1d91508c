"""``cloudctl``, the command line.

``main`` is the way in, ``options`` and ``verbs`` say what can be typed, ``session`` runs the client on a reactor,
``output`` writes results to stdout, ``failures`` turns errors into words that say what to try next, and an exit status.

Whatever needs Twisted is imported when a verb runs and not before: help and usage errors come at once.
"""
