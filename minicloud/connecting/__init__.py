"""Where HTTP connections lead to, for whoever asks a node over HTTP: the client, and a node that asks another one.

``endpoints`` connects to addresses and host names, ``names`` looks host names up.
"""
