"""HTTP: Klein routes on a twisted.web site, and everything that stands between a socket and the node's public face.

From the wire inwards: ``channel`` (deadlines, malformed requests), ``request`` (one request: its head, its bounded
body, its answer), ``stream`` (an answer that goes on), ``gate`` (who may ask, before a body is read), ``app`` (the
routes), ``reads``, ``listing``, ``writes``, ``membership``, ``cluster``, ``events`` and ``pages`` (what each route
means), ``consistency`` (how new the state is that a read sees), ``overview``, ``neighbours``, ``rates`` and ``news``
(what events tell of), ``forwarding`` (one hop to the leader), ``problems`` (every error, as RFC 9457 JSON).
``app.make_site`` puts them together.
"""
