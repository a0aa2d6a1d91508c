"""Random kills, power cuts, isolations and transfers: what was acknowledged stays, and all nodes end up the same."""

from random import Random

import pytest

from minicloud.kv.commands import Put
from minicloud.node.errors import NodeError, OutcomeUnknown
from tests.harness.cluster import Cluster

KEYS = 40
STEPS = 150


class Story:
    """One run; the seed decides everything."""

    def __init__(self, seed):
        self.random = Random(seed)
        self.cluster = Cluster(3, seed=seed, snapshot_entries=30, snapshot_trailing_entries=5)
        self.down = {}
        self.proposed = 0
        self.acknowledged = {}

    def step(self):
        chance, cluster = self.random.random(), self.cluster
        if chance < 0.08 and len(self.down) < 2:
            self.fell(self.random.choice(sorted(set(cluster.processes) - set(self.down))))
        elif chance < 0.16 and self.down:
            node_id = self.random.choice(sorted(self.down))
            cluster.start(node_id, self.down.pop(node_id))
        elif chance < 0.2:
            cluster.isolate(self.random.choice(sorted(cluster.processes)))
        elif chance < 0.26:
            cluster.heal()
        elif chance < 0.29:
            for leader in cluster.leaders():
                leader.transfer(None, 2).addErrback(lambda failure: failure.trap(NodeError))
        self.write()
        cluster.run(self.random.choice([0.004, 0.05, 0.3]))

    def fell(self, node_id):
        power_is_cut = self.random.random() < 0.5
        self.down[node_id] = self.cluster.kill(node_id, self.random if power_is_cut else None)

    def write(self):
        for leader in self.cluster.leaders():
            for _ in range(self.random.randint(0, 8)):
                self.proposed += 1
                self.propose(leader, self.proposed)

    def propose(self, leader, number):
        def done(outcome):
            self.acknowledged[outcome.revision] = number

        proposed = leader.propose(Put(f"k{number % KEYS}", b"%d" % number), 3)
        proposed.addCallbacks(done, lambda failure: failure.trap(NodeError))

    def end(self):
        self.cluster.heal()
        for node_id, files in sorted(self.down.items()):
            self.cluster.start(node_id, files)
        self.cluster.put("end")
        self.cluster.converge()


@pytest.mark.parametrize("seed", range(8))
def test_nothing_acknowledged_is_lost_and_all_nodes_agree(seed):
    story = Story(seed)
    for _ in range(STEPS):
        story.step()
    story.end()
    store = story.cluster.leader().store
    newest = {f"k{number % KEYS}": (revision, number) for revision, number in sorted(story.acknowledged.items())}
    assert newest
    for key, (revision, number) in newest.items():
        record = store.get(key)
        assert record is not None
        assert record.revision > revision or (record.revision, record.value) == (revision, b"%d" % number)
    assert [process.failures for process in story.cluster.processes.values()] == [[], [], []]


def test_a_fault_of_our_own_ends_the_node_and_says_so():
    cluster = Cluster(1)
    leader = cluster.leader()
    process = cluster.processes[leader.node_id]

    def broken(*_):
        raise AssertionError("a state that cannot be")

    leader._driver._apply_one = broken
    errors = []
    leader.propose(Put("k", b"v"), 1.0).addErrback(lambda failure: errors.append(failure.type))
    with pytest.raises(AssertionError):
        cluster.run(0.1)
    assert [type(error) for error in process.failures] == [AssertionError]
    assert errors == [OutcomeUnknown]
