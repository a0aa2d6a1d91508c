"""Keys as they stand in a request target: percent-decoded once, and otherwise left alone (RFC 3986, section 2.4)."""

from __future__ import annotations

from minicloud.kv.commands import MAX_KEY_BYTES, key_problem
from minicloud.web.percent import percent_decode
from minicloud.web.problems import Problem, bad_request


def decode_key(raw: bytes) -> str:
    """Return the key that the rest of a path after ``/kv/`` names.

    ``raw`` holds the bytes of the target exactly as they were sent. Nothing is normalised: ``a//b``, ``a/../b`` and
    ``%2Fa`` are keys of their own. Raises Problem (400 ``invalid_key``).
    """
    key = percent_decode(raw)
    if key is None:
        raise _invalid_key("a percent sign in a path is followed by two hexadecimal digits")
    if 0 < len(key) <= MAX_KEY_BYTES and key.isascii():
        text = key.decode("ascii")
        if text.isprintable():
            return text
    problem = key_problem(key)
    if problem is not None:
        raise _invalid_key(problem)
    return key.decode("utf-8")


def _invalid_key(detail: str) -> Problem:
    return bad_request("invalid_key", "Invalid key", detail)
