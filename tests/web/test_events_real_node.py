"""GET /events of a node that runs as a process: its own writes are in the rates, and a stream does not hold up its end."""

import http.client
import json
import time
from pathlib import Path

from tests.harness.processes import START_LIMIT_S, nodes_in


def test_a_node_tells_of_its_start_its_election_and_its_writes(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        node = nodes.start(*nodes.write_config("n", bootstrap=True)).wait_ready()
        samples = json.loads(node.ask("GET", "/events?format=json")[1])["rates"]["samples"]
        before = len(samples)  # their numbers begin with 1
        for number in range(5):
            assert node.ask("PUT", f"/kv/{number}", b"value")[0] == 200
        written = put = 0.0
        deadline = time.monotonic() + START_LIMIT_S
        while not (written and put):
            assert time.monotonic() < deadline
            document = json.loads(node.ask("GET", f"/events?format=json&samples_after={before}")[1])
            written = sum(sample["writes_applied_per_s"] for sample in document["rates"]["samples"])
            put = sum(sample["puts_per_s"] for sample in document["rates"]["samples"])
        assert written > 0
        assert put > 0
        assert (document["cluster"]["keys"], document["cluster"]["quorum"]["up"]) == (5, 1)
        items = json.loads(node.ask("GET", "/events?format=json")[1])["news"]["items"]
        kinds = [item["kind"] for item in items]
        assert kinds[0] == "started"
        assert "leader" in kinds


def test_an_open_stream_does_not_hold_up_the_end_of_a_node(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        node = nodes.start(*nodes.write_config("n", bootstrap=True)).wait_ready()
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=START_LIMIT_S)
        connection.request("GET", "/events")
        stream = connection.getresponse()
        assert stream.readline() == b"retry: 1000\n"
        started = time.monotonic()
        assert node.end() == 0
        assert time.monotonic() - started < 5.0  # requests have 10 s to finish
        stream.read()  # raises IncompleteRead where the stream was cut off instead of ended
        connection.close()
        assert "Traceback" not in node.log
