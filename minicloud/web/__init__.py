"""HTTP: Klein routes on a twisted.web site, and everything that stands between a socket and the node's public face.

From the wire inwards: ``channel`` (deadlines, malformed requests), ``request`` (one request: its head, its bounded
body, its answer), ``gate`` (who may ask, before a body is read), ``app`` (the routes), ``reads``, ``listing``,
``writes``, ``membership``, ``cluster`` and ``pages`` (what each route means), ``consistency`` (how new the state is that
a read sees), ``forwarding`` (one hop to the leader), ``problems`` (every error, as RFC 9457 JSON). ``app.make_site``
puts them together.
"""
