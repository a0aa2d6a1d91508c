"""Outputs that are alike, and outputs that are not."""

import pytest

from tests.readme.shape import shape

STATUS = "node1  Leader    4  10  0 ms   6s  127.0.0.1:9001\nnode2  Follower  4  10  60 ms  5s  127.0.0.1:9002\n"


@pytest.mark.parametrize(
    "other",
    [
        STATUS.replace("\n", "\r\n"),
        STATUS.replace("Leader  ", "Follower", 1).replace("Follower  4  10  60", "Leader    5  11  7", 1),
        STATUS.replace(" 6s ", " 1m 6s "),
        f"\x1b[1;32m{STATUS}\x1b[0m",
    ],
    ids=["a terminal's newlines", "the other leads", "a slow machine", "colours"],
)
def test_time_and_chance_make_no_difference(other: str) -> None:
    assert shape(other) == shape(STATUS)


@pytest.mark.parametrize(
    "other",
    [
        STATUS.replace("Follower", "Learner"),
        STATUS.replace("Follower", "Leader"),
        STATUS.replace("9002", "9003"),
        STATUS.replace("node2", "node3"),
        STATUS.splitlines()[0],
        f"{STATUS}Traceback (most recent call last):\n",
    ],
    ids=["no vote", "two lead", "another address", "another node", "a row less", "a line more"],
)
def test_all_else_does(other: str) -> None:
    assert shape(other) != shape(STATUS)


def test_statuses_and_the_number_of_voters_count() -> None:
    assert shape('{"status":401,"revision":7}') == shape('{"status":401,"revision":12}')
    assert shape('{"status":401}') != shape('{"status":404}')
    assert shape("Voters: 3. More that may fail: 1.") != shape("Voters: 2. More that may fail: 1.")
