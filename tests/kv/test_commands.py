import pytest

from minicloud.kv.commands import MAX_KEY_BYTES, key_problem


@pytest.mark.parametrize(
    "key", ["k", "a//b", "a/../b", "/x", " ", "ключ", "k" * MAX_KEY_BYTES, "é" * 512, "\U0010ffff"]
)
def test_a_key_is_any_text_without_control_characters(key):
    assert key_problem(key.encode()) is None


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (b"", "1 to 1024 bytes, this one has 0"),
        (b"k" * 1025, "this one has 1025"),
        ("é".encode() * 513, "this one has 1026"),
        (b"ab\xff", "not at byte 2"),
        (b"\xed\xa0\x80", "not at byte 0"),
        (b"\xc0\x80", "not at byte 0"),
        (b"a\x00", "U+0000 at character 1"),
        (b"a\nb", "U+000A at character 1"),
        (b"\x1f", "U+001F at character 0"),
        (b"\x7f", "U+007F at character 0"),
        ("éé\x80".encode(), "U+0080 at character 2"),
        ("\x9f".encode(), "U+009F at character 0"),
    ],
)
def test_what_is_wrong_with_a_key_is_said_in_one_line(key, problem):
    said = key_problem(key)
    assert said is not None
    assert problem in said
    assert said.isprintable()
