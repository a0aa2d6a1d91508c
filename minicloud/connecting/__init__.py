"""How a node is asked over HTTP, for whoever does: the client, and a node that asks another one.

``sending`` sends a request, ``endpoints`` connects to addresses and host names, ``handshakes`` agrees on TLS with them,
``names`` looks host names up, ``bodies`` collects what is answered, ``failures`` tells what it means that nothing is.
"""
