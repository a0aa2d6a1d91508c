"""What users may configure or ask for as an address must be what members can write to each other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicloud.addresses import parse_address
from minicloud.wire.fields import is_host_port

GOOD = [
    "127.0.0.1:1",
    "[::1]:65535",
    "[fe80::1%eth0]:9",
    "[2001:db8:1111:2222:3333:4444:255.255.255.255]:1",
    "node_1.example.:80",
    ".".join(["h" * 63] * 3) + ".h:9001",
]


@st.composite
def nearly_good(draw):
    text = draw(st.sampled_from(GOOD))
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.sampled_from([*"abz019.-_:[]%/ é\uff10", "z" * 40, ""])) + text[at:]


@settings(max_examples=500)
@given(nearly_good())
def test_every_address_that_a_user_can_give_can_be_sent_to_members(text):
    try:
        address = str(parse_address(text))
    except ValueError:
        return
    assert is_host_port(address)


@pytest.mark.parametrize("text", GOOD)
def test_good_addresses_are_good_for_both(text):
    assert is_host_port(str(parse_address(text)))


@pytest.mark.parametrize("zone", ["eth 0", "a/b", "é", "z" * 33, "a]"])
def test_a_zone_that_no_line_can_carry_is_refused_before_it_gets_there(zone):
    with pytest.raises(ValueError, match=r"zone|IP address|brackets"):
        parse_address(f"[fe80::1%{zone}]:9")
