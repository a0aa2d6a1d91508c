"""``cloudctl``, the command line.

``main`` is the way in, and ``command`` does what a command line says. ``options`` has what holds for every verb, ``group``
what all verbs share; the verbs themselves are in ``keys``, ``cluster``, ``bench`` and ``completion``. ``session`` runs the
client on a reactor, ``output`` writes results to stdout (``screen`` draws tables and progress, ``listing`` writes page by
page, ``watching`` round by round), ``load`` makes load, and ``failures`` turns errors into words that say what to try next,
and an exit status.

Whatever needs Twisted, or rich, is imported when it is needed and not before: help and usage errors come at once.
"""
