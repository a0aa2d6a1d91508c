"""The first start of a cluster, and every later one with the same settings."""

from pathlib import Path
from random import Random

import pytest
from attrs import evolve

from minicloud.addresses import Address
from minicloud.config import Settings
from minicloud.raft.configuration import Configuration, Member
from minicloud.raft.entries import Entry, EntryKind, HardState
from minicloud.service.errors import StartError
from minicloud.service.founding import found_cluster
from minicloud.storage.memory_files import MachineStopped, MemoryFiles
from minicloud.storage.storage import Storage

SETTINGS = Settings(
    node_id="node1",
    listen_addr=Address("0.0.0.0", 9001),
    raft_addr=Address("10.0.0.1", 9011),
    advertise_addr=Address("kv.example", 9001),
    data_dir=Path("data/node1"),
    bootstrap=True,
)
FIRST = Entry(
    1,
    1,
    EntryKind.CONFIGURATION,
    b"",
    Configuration((Member("node1", "10.0.0.1:9011", "kv.example:9001", instance_id="an-instance"),)),
)


def opened(files: MemoryFiles) -> Storage:
    return Storage.open(files, node_id="node1", new_instance_id=lambda: "an-instance")


def new_id() -> str:
    return "a-cluster"


def test_an_empty_folder_becomes_a_cluster_of_one() -> None:
    files = MemoryFiles()
    assert found_cluster(opened(files), SETTINGS, new_id)
    storage = opened(files.crash(Random(1)))
    assert storage.identity.cluster_id == "a-cluster"
    assert storage.recovered.entries == (FIRST,)


def test_where_state_exists_it_wins_and_the_log_says_so(captured_log) -> None:
    files = MemoryFiles()
    storage = opened(files)
    found_cluster(storage, SETTINGS, new_id)
    storage.close()
    again = opened(files)
    assert not found_cluster(again, SETTINGS, lambda: "another-cluster")
    assert again.identity.cluster_id == "a-cluster"
    assert "bootstrap is ignored: the data folder holds a node of cluster a-cluster" in captured_log(
        "minicloud.service.founding"
    )


def test_a_folder_that_was_part_of_a_cluster_without_entries_founds_none() -> None:
    storage = opened(MemoryFiles())
    storage.set_cluster("the-one-that-invited-us")
    assert not found_cluster(storage, SETTINGS, new_id)
    assert storage.identity.cluster_id == "the-one-that-invited-us"


def test_a_folder_with_a_term_founds_none() -> None:
    files = MemoryFiles()
    storage = opened(files)
    storage.save_hard_state(HardState(1, ""))
    storage.close()
    assert not found_cluster(opened(files), SETTINGS, new_id)


def test_without_bootstrap_nothing_is_written() -> None:
    storage = opened(MemoryFiles())
    assert not found_cluster(storage, evolve(SETTINGS, bootstrap=False), new_id)
    assert storage.identity.cluster_id == ""
    assert storage.log_first_index == 1


def test_a_first_start_that_was_cut_short_anywhere_is_made_good_by_the_next() -> None:
    for last_step in range(100):
        files, steps = MemoryFiles(), 0
        storage = opened(files)

        def step(operation: str, path: str, *, until: int = last_step) -> None:
            nonlocal steps
            steps += 1
            if steps > until:
                raise MachineStopped

        files.before_step = step
        try:
            found_cluster(storage, SETTINGS, new_id)
        except MachineStopped:
            files = files.crash(Random(last_step))
            found_cluster(opened(files), SETTINGS, new_id)
            files = files.kill()
            survivor = opened(files)
            assert survivor.identity.cluster_id == "a-cluster"
            assert survivor.recovered.entries == (FIRST,)
        else:
            assert last_step > 3
            return
    pytest.fail("it never ends")


def test_half_a_cluster_is_not_started_without_being_told_to_finish_it() -> None:
    files = MemoryFiles()
    storage = opened(files)
    storage.append([FIRST])
    storage.sync()
    storage.close()
    with pytest.raises(StartError, match="bootstrap: expected true"):
        found_cluster(opened(files), evolve(SETTINGS, bootstrap=False), new_id)
