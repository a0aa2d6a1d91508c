"""What members say to each other and write down, to and from JSON: messages, entries, commands, snapshots, handshake.

Each line is parsed once, straight into a typed struct that mirrors the class of the floor below; what is not exactly
of that shape is refused with a one-line WireError. An entry's command stays the bytes that it was when it was proposed:
they are spliced into lines and records, and cut out of them again, without being decoded.

JSON's loose ends: NaN, floats for integers, true for 1, unknown fields, bad UTF-8, lone surrogates and anything after
the value are refused. Of a key that stands twice the last one counts, as RFC 8259 (section 4) allows: every member
reads with this code, so no two of them understand one line differently.
"""
