"""A data folder of another cluster is found out at the start."""

import json

import pytest
from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers

from minicloud.client.exchange import Answer, NoAnswer, NotSent
from minicloud.service.cluster_check import MAX_ASKED, check_cluster
from minicloud.service.errors import StartError
from minicloud.service.ports import result_now


def check(answers: dict[str, object], cluster_id: str = "ours") -> list[str]:
    """Run the check against members that answer like that; returns who was asked."""
    asked: list[str] = []

    class Members:
        async def send(self, server, request, token, limit_s) -> Answer:
            assert (request.method, request.target, token) == ("GET", "/cluster/status", "t0ken")
            asked.append(server)
            answer = answers[server]
            if isinstance(answer, Exception):
                raise answer
            status, body = answer
            return Answer(server, status, Headers(), body)

    checking = check_cluster(tuple(answers), cluster_id, "data/n", token="t0ken", exchange=Members())
    result_now(Deferred.fromCoroutine(checking))
    return asked


def member_of(cluster_id: object) -> tuple[int, bytes]:
    return 200, json.dumps({"cluster_id": cluster_id}).encode()


def test_a_member_of_the_same_cluster_settles_it() -> None:
    assert check({"http://a:1": member_of("ours"), "http://b:1": member_of("theirs")}) == ["http://a:1"]


def test_a_member_of_another_cluster_is_refused_with_both_ids() -> None:
    with pytest.raises(StartError) as caught:
        check({"http://a:1": NotSent("connection refused"), "http://b:1": member_of("theirs")})
    assert str(caught.value) == (
        "data_dir: expected a data folder of the cluster that join_url leads to (theirs at http://b:1), "
        "data/n is of cluster ours"
    )


def test_a_new_folder_asks_nobody() -> None:
    assert check({"http://a:1": member_of("theirs")}, cluster_id="") == []


@pytest.mark.parametrize(
    "useless",
    [
        NotSent("x"),
        NoAnswer("x"),
        (503, b"{}"),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"{}"),
        member_of(""),
        member_of(7),
    ],
)
def test_where_nobody_says_anything_of_use_the_node_starts(useless: object) -> None:
    members = {f"http://{name}:1": useless for name in "abcd"}
    assert len(check(members)) == MAX_ASKED
