"""``hard_state``: the term and the vote (paper, figure 2, "Persistent state on all servers")."""

from __future__ import annotations

import json

from minicloud.raft.entries import HardState
from minicloud.storage.errors import Damaged
from minicloud.storage.files import Files, read_all
from minicloud.storage.frames import HEADER_BYTES, BadFrame, check_magic, frame, magic, parse_frame
from minicloud.storage.whole_files import replace_whole

HARD_STATE_FILE = "hard_state"
_KIND = "hardstate"
_SALT = 0


def encode_hard_state(hard_state: HardState) -> bytes:
    """Return the file's content: the first line and one record."""
    start = magic(_KIND)
    fields = {"current_term": hard_state.current_term, "voted_for": hard_state.voted_for}
    return start + frame(_SALT, len(start), json.dumps(fields).encode("ascii"))


def decode_hard_state(data: bytes, file: str) -> HardState:
    """Return what the file says. Raises Damaged, UnsupportedFormat."""
    start = check_magic(data, _KIND, file)
    payload = parse_frame(data, start, _SALT, start)
    if isinstance(payload, BadFrame):
        raise Damaged(file, start, payload.reason)
    end = start + HEADER_BYTES + len(payload)
    if end != len(data):
        raise Damaged(file, end, "something follows the record")
    fields = json.loads(bytes(payload))
    return HardState(current_term=fields["current_term"], voted_for=fields["voted_for"])


def read_hard_state(files: Files) -> HardState:
    """Return the term and the vote on disk.

    Raises:
        Damaged: they are missing (without them a node could vote twice), or not what was written.
        UnsupportedFormat: a later version wrote them.
    """
    file = files.describe(HARD_STATE_FILE)
    try:
        data = read_all(files, HARD_STATE_FILE)
    except FileNotFoundError:
        raise Damaged(file, 0, "it is missing") from None
    return decode_hard_state(data, file)


def write_hard_state(files: Files, hard_state: HardState) -> None:
    """Put the term and the vote on disk, in one step. Raises DiskFull, OSError."""
    replace_whole(files, HARD_STATE_FILE, encode_hard_state(hard_state))
