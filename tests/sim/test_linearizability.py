"""The checker says what a person would say of histories that fit on a few lines, and what brute force says of small ones."""

from __future__ import annotations

import time
from collections import Counter
from random import Random

import pytest
from attrs import evolve

from tests.sim.histories import AtomicRegisters, brute_force, random_history, verdict, with_one_read_changed
from tests.sim.linearizability import BudgetExhausted, Kind, NotLinearizable, Operation, check_history

SMALL_HISTORIES = 4000
GOOD_HISTORIES = 300


def put(value, invoked, returned, key="k", **answer):
    return Operation(key, Kind.PUT, invoked, returned, value, **answer)


def delete(invoked, returned, key="k", **answer):
    return Operation(key, Kind.DELETE, invoked, returned, **answer)


def get(value, invoked, returned, key="k"):
    return Operation(key, Kind.GET, invoked, returned, value)


GOOD = {
    "nothing happened": [],
    "sequential": [put(1, 0, 1), get(1, 2, 3), put(2, 4, 5), get(2, 6, 7), delete(8, 9), get(0, 10, 11)],
    "absent at first": [get(0, 0, 1)],
    "overlapping, the old value": [put(1, 0, 1), put(2, 2, 5), get(1, 3, 4), get(2, 6, 7)],
    "overlapping, the new value": [put(1, 0, 1), put(2, 2, 5), get(2, 3, 4), get(2, 6, 7)],
    "overlapping puts, either may be last": [put(1, 0, 2), put(2, 1, 3), get(1, 4, 5)],
    "overlapping gets see old and new in that order": [put(1, 0, 9), get(0, 1, 3), get(1, 2, 4), get(1, 5, 6)],
    "unknown put takes effect late": [put(1, 0, None), put(2, 1, 2), get(2, 3, 4), get(1, 5, 6)],
    "unknown put never takes effect": [put(1, 0, 1), put(2, 2, None), get(1, 3, 4), put(3, 5, 6), get(3, 7, 8)],
    "unknown delete takes effect late": [put(1, 0, 1), delete(2, None), get(1, 3, 4), get(0, 5, 6)],
    "unknown delete never takes effect": [put(1, 0, 1), delete(2, None), get(1, 3, 4)],
    "unknown get tells nothing": [put(1, 0, 1), get(7, 2, None), get(1, 3, 4)],
    "unknown put that nobody saw made a condition fail": [
        put(9, 0, None),
        put(1, 1, 2, expected=0, applied=False),
        put(2, 3, 4, existed=True),
    ],
    "unknown put that nobody saw was there to be overwritten": [put(9, 0, None), put(1, 1, 2, existed=True)],
    "unknown put that nobody saw was there to be deleted": [put(9, 0, None), delete(1, 2, existed=True), get(0, 3, 4)],
    "unknown delete between two creations": [
        put(1, 0, 1, existed=False),
        delete(2, None),
        put(2, 3, 4, existed=False),
    ],
    "unknown delete made a condition fail": [put(1, 0, 1), delete(2, None), put(2, 3, 4, expected=1, applied=False)],
    "unknown conditions in a chain": [
        put(4, 0, None, expected=3),
        put(3, 1, None, expected=2),
        put(2, 2, None),
        put(1, 3, 4),
        get(1, 5, 6),
        get(4, 7, 8),
    ],
    "unknown chain through a delete": [
        put(1, 0, 1),
        delete(2, None, expected=1),
        put(2, 3, None, expected=0),
        get(1, 4, 5),
        get(2, 6, 7),
    ],
    "unknown put seen, deleted, and never again": [
        put(1, 0, None),
        get(1, 1, 2),
        delete(3, 4, existed=True),
        get(0, 5, 6),
    ],
    "condition holds": [put(1, 0, 1, expected=0, existed=False), put(2, 2, 3, expected=1, existed=True), get(2, 4, 5)],
    "condition fails": [
        put(1, 0, 1),
        put(2, 2, 3, expected=0, applied=False),
        delete(4, 5, expected=7, applied=False),
        get(1, 6, 7),
    ],
    "conditional delete": [put(1, 0, 1), delete(2, 3, expected=1, existed=True), get(0, 4, 5)],
    "delete of an absent key if absent": [delete(0, 1, expected=0, existed=False), get(0, 2, 3)],
    "of two conditions on one revision, the first holds": [
        put(1, 0, 1),
        put(2, 2, 5, expected=1),
        put(3, 3, 4, expected=1, applied=False),
        get(2, 6, 7),
    ],
    "deletes tell whether the key existed": [
        delete(0, 1, existed=False),
        put(1, 2, 3, existed=False),
        delete(4, 7, existed=True),
        delete(5, 6, existed=False),
    ],
    "a delete that does not tell must wait for its put": [put(1, 0, 3, existed=False), delete(1, 2), get(0, 4, 5)],
    "two keys": [put(1, 0, 1, "a"), get(0, 2, 3, "b"), put(1, 4, 5, "b"), get(1, 6, 7, "a"), get(1, 8, 9, "b")],
}

BAD = {
    "something out of nothing": [get(1, 0, 1)],
    "stale read": [put(1, 0, 1), put(2, 2, 3), get(1, 4, 5)],
    "stale read of absence": [put(1, 0, 1), get(0, 2, 3)],
    "stale read after a delete": [put(1, 0, 1), delete(2, 3), get(1, 4, 5)],
    "lost write": [put(1, 0, 1), put(2, 2, 3), get(2, 4, 5), get(1, 6, 7)],
    "lost first write": [put(1, 0, 1), get(0, 2, 3), get(0, 4, 5)],
    "lost delete": [put(1, 0, 1), delete(2, 3), get(1, 4, 5)],
    "read before it was written": [get(1, 0, 1), put(1, 2, 3)],
    "read before an unknown put was asked for": [get(1, 0, 1), put(1, 2, None)],
    "read going back": [put(1, 0, 1), put(2, 2, 9), get(2, 3, 4), get(1, 5, 6)],
    "two readers see two puts in two orders": [
        *(put(1, 0, 2), put(2, 1, 3)),
        *(get(1, 4, 5), get(2, 6, 7), get(1, 8, 9)),
    ],
    "write applied twice": [put(1, 0, 1), get(1, 2, 3), put(2, 4, 5), get(2, 6, 7), get(1, 8, 9)],
    "unknown write applied twice": [put(1, 0, None), get(1, 1, 2), put(2, 3, 4), get(2, 5, 6), get(1, 7, 8)],
    "unknown delete applied twice": [
        *(delete(0, None), put(1, 1, 2), get(1, 3, 4), get(0, 5, 6)),
        *(put(2, 7, 8), get(2, 9, 10), get(0, 11, 12)),
    ],
    "unknown put seen, then unseen": [put(1, 0, 1), put(2, 2, None), get(2, 3, 4), get(1, 5, 6)],
    "unknown put seen, then absent": [put(1, 0, None), get(1, 1, 2), get(0, 3, 4)],
    "one unknown put cannot be overwritten twice": [
        *(put(9, 0, None), put(1, 1, 2, existed=True), delete(3, 4), put(2, 5, 6, existed=True)),
    ],
    "unknown put asked for too late to make a condition fail": [
        put(1, 0, 1, expected=0, applied=False),
        put(9, 2, None),
    ],
    "unknown condition that cannot have held": [put(1, 0, 1), put(3, 2, None, expected=2), get(3, 3, 4)],
    "value never written": [put(1, 0, 1), get(7, 2, 3)],
    "value of a put whose condition failed": [put(1, 0, 1), put(2, 2, 3, expected=0, applied=False), get(2, 4, 5)],
    "put if absent of what is there": [put(1, 0, 1), put(2, 2, 3, expected=0)],
    "put if absent fails though nothing was there": [put(1, 0, 1, expected=0, applied=False)],
    "condition holds for what was overwritten": [put(1, 0, 1), put(2, 2, 3), put(3, 4, 5, expected=1)],
    "condition fails for what is there": [put(1, 0, 1), put(2, 2, 3, expected=1, applied=False), get(1, 4, 5)],
    "condition holds and changes nothing": [put(1, 0, 1), put(2, 2, 3, expected=1), get(1, 4, 5)],
    "no condition, and it failed": [put(1, 0, 1, applied=False)],
    "two conditions on one revision hold": [put(1, 0, 1), put(2, 2, 5, expected=1), put(3, 3, 4, expected=1)],
    "two creations at once": [put(1, 0, 2, expected=0), put(2, 1, 3, expected=0)],
    "put says it created what existed": [put(1, 0, 1), put(2, 2, 3, existed=False)],
    "put says it replaced what did not exist": [put(1, 0, 1, existed=True)],
    "delete of an absent key existed": [delete(0, 1, existed=True)],
    "delete of a present key did not exist": [put(1, 0, 1), delete(2, 3, existed=False)],
    "two deletes at once of one put existed": [put(1, 0, 1), delete(2, 4, existed=True), delete(3, 5, existed=True)],
    "conditional delete did not exist": [put(1, 0, 1), delete(2, 3, expected=1, existed=False)],
    "delete if absent existed": [delete(0, 1, expected=0, existed=True)],
    "the other of two keys": [put(1, 0, 1, "a"), get(1, 2, 3, "a"), put(2, 4, 5, "b"), get(0, 6, 7, "b")],
    "a value strayed to another key": [put(1, 0, 1, "a"), get(1, 2, 3, "b")],
}


@pytest.mark.parametrize("history", [pytest.param(history, id=name) for name, history in GOOD.items()])
def test_is_linearizable(history):
    assert brute_force(history)
    check_history(history)


@pytest.mark.parametrize("history", [pytest.param(history, id=name) for name, history in BAD.items()])
def test_is_not_linearizable(history):
    assert not brute_force(history)
    with pytest.raises(NotLinearizable):
        check_history(history)


def test_the_order_in_which_operations_are_given_does_not_matter():
    for history in GOOD.values():
        check_history(history[::-1])
    for history in BAD.values():
        with pytest.raises(NotLinearizable):
            check_history(history[::-1])


def test_the_account_tells_key_operations_and_how_far_an_order_goes():
    history = [
        evolve(put(1, 0, 1), client="anna"),
        put(2, 2, 5),
        get(2, 3, 4),
        delete(6, None, expected=9),
        put(3, 7, 8, expected=1, applied=False),
        get(1, 9, 10),
        put(4, 11, 12, "another"),
    ]
    with pytest.raises(NotLinearizable) as caught:
        check_history(history)
    assert caught.value.key == "k"
    assert [line.rstrip() for line in str(caught.value).splitlines()] == [
        "the history of key 'k' is not linearizable",
        "its operations, in order of invocation:",
        "  [0, 1]             anna     put 1 -> done",
        "  [2, 5]                      put 2 -> done",
        "  [3, 4]                      get -> 2",
        "  [6, unknown]                delete if 9",
        "  [7, 8]                      put 3 if 1 -> condition failed",
        "  [9, 10]                     get -> 1",
        "the longest order found, with 4 of the 5 that returned:",
        "  [0, 1]             anna     put 1 -> done                    | 1",
        "  [2, 5]                      put 2 -> done                    | 2",
        "  [3, 4]                      get -> 2                         | 2",
        "  [7, 8]                      put 3 if 1 -> condition failed   | 2",
        "there the register holds 2; by their time, the next could be:",
        "  [9, 10]                     get -> 1",
    ]


def test_an_account_tells_where_unknown_operations_took_effect():
    with pytest.raises(NotLinearizable) as caught:
        check_history([put(1, 0, None), put(2, 1, None, expected=1), get(2, 2, 3), get(0, 4, 5)])
    order = caught.value.account.partition("returned:\n")[2]
    assert [line.split()[2:] for line in order.splitlines()[:3]] == [
        ["put", "1", "|", "1"],
        ["put", "2", "if", "1", "|", "2"],
        ["get", "->", "2", "|", "2"],
    ]


def test_running_out_of_budget_is_a_failure():
    history = [put(value, value, 100 + value) for value in range(1, 9)] + [get(8, 300, 301)]
    check_history(history)
    with pytest.raises(BudgetExhausted) as caught:
        check_history(history, budget=5)
    assert isinstance(caught.value, AssertionError)
    assert "'k'" in str(caught.value)
    assert "5" in str(caught.value)


def test_a_key_that_is_wrong_tells_more_than_one_that_is_undecided():
    undecided = [put(value, value, 100 + value) for value in range(1, 9)]
    with pytest.raises(NotLinearizable) as caught:
        check_history([*undecided, get(3, 300, 301, "other")], budget=5)
    assert caught.value.key == "other"


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([put(1, 0, 1), put(1, 2, 3)], id="two puts of one id"),
        pytest.param([put(0, 0, 1)], id="put of absence"),
        pytest.param([put(1, 1, 0)], id="answered before it was asked"),
        pytest.param([put(1, 0, 1), get(1, 1, 2)], id="two events at one position"),
        pytest.param([put(1, 0, 1, applied=None)], id="answered without an outcome"),
        pytest.param([put(1, 0, 1, expected=-1)], id="condition on no id"),
        pytest.param([evolve(get(0, 0, 1), expected=0)], id="conditional get"),
        pytest.param([get(-1, 0, 1)], id="read of no id"),
    ],
)
def test_what_is_no_history_is_neither_good_nor_bad(history):
    with pytest.raises(AssertionError) as caught:
        check_history(history)
    assert type(caught.value) is AssertionError


def test_two_hundred_operations_in_a_row_are_fast():
    history = []
    for value in range(1, 101):
        history += [put(value, 4 * value, 4 * value + 1, existed=value > 1), get(value, 4 * value + 2, 4 * value + 3)]
    began = time.process_time()
    check_history(history, budget=300)
    assert time.process_time() - began < 0.5
    with pytest.raises(NotLinearizable):
        check_history([*history, get(99, 1000, 1001)], budget=300)


def test_no_configuration_is_explored_twice():
    # Nine puts have 362,880 orders, but leave only 2,305 configurations: which are done, and which of them was the last.
    history = [put(value, value, 100 + value) for value in range(1, 10)]
    began = time.process_time()
    with pytest.raises(NotLinearizable):
        check_history([*history, get(99, 300, 301)], budget=2305)
    assert time.process_time() - began < 1


def test_twenty_unknown_operations_that_explain_nothing_cost_nothing():
    unknown = [put(1000 + i, i, None) for i in range(10)] + [delete(10 + i, None) for i in range(10)]
    history = [put(value, 100 + 4 * value, 101 + 4 * value, existed=value > 1) for value in range(1, 31)]
    history += [get(value, 102 + 4 * value, 103 + 4 * value) for value in range(1, 31)]
    check_history([*unknown, *history], budget=70)


def test_unknown_operations_that_nothing_tells_apart_are_tried_once():
    unknown = [put(1000 + i, i, None) for i in range(20)] + [delete(20 + i, None) for i in range(20)]
    flips = [put(value, 100 + 4 * value, 101 + 4 * value, expected=0, applied=False) for value in range(1, 21)]
    flips += [get(0, 102 + 4 * value, 103 + 4 * value) for value in range(1, 21)]
    check_history([*unknown, *flips], budget=100)
    with pytest.raises(NotLinearizable):
        check_history([*unknown, *flips, put(99, 1000, 1001, expected=0, applied=False)], budget=1000)


def test_writes_come_in_the_order_of_their_revisions():
    def history(first, second):
        return [
            Operation("k", Kind.PUT, 1, 4, value=1, revision=first),
            Operation("k", Kind.PUT, 2, 3, value=2, revision=second),
            Operation("k", Kind.GET, 5, 6, value=2),
        ]

    check_history(history(7, 8))
    with pytest.raises(NotLinearizable):
        check_history(history(8, 7))


def test_many_writes_at_once_are_one_order_when_they_tell_their_revisions():
    writes = [Operation("k", Kind.PUT, number, 100 - number, value=number, revision=number) for number in range(1, 41)]
    check_history([*writes, Operation("k", Kind.GET, 200, 201, value=40)], budget=100)
    with pytest.raises(NotLinearizable):
        check_history([*writes, Operation("k", Kind.GET, 200, 201, value=39)], budget=100)


def test_it_agrees_with_brute_force_on_answers_out_of_the_blue():
    random = Random(1)
    verdicts = Counter()
    for _ in range(SMALL_HISTORIES):
        history = random_history(random)
        verdicts[expected := brute_force(history)] += 1
        assert verdict(history) is expected, history
    assert min(verdicts[True], verdicts[False]) > SMALL_HISTORIES // 5, verdicts


def test_it_agrees_with_brute_force_on_answers_that_are_almost_right():
    random = Random(2)
    verdicts = Counter()
    for _ in range(SMALL_HISTORIES):
        history = AtomicRegisters(random, random.choice(("k", "k", "kl")), clients=4, gives_up=0.4).run(
            random.randint(3, 6)
        )
        assert brute_force(history)
        assert verdict(history)
        history = with_one_read_changed(random, history)
        verdicts[expected := brute_force(history)] += 1
        assert verdict(history) is expected, history
    assert min(verdicts[True], verdicts[False]) > SMALL_HISTORIES // 5, verdicts


@pytest.mark.parametrize("gives_up", [0.0, 0.1, 0.5])
def test_what_atomic_registers_answer_is_linearizable_and_other_reads_mostly_are_not(gives_up):
    random = Random(3)
    rejected = 0
    for _ in range(GOOD_HISTORIES):
        history = AtomicRegisters(random, "abcde", random.randint(1, 8), gives_up).run(200)
        check_history(history)
        rejected += not verdict(with_one_read_changed(random, history))
    assert rejected > 0.9 * GOOD_HISTORIES
