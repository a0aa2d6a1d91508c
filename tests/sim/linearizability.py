"""Is a history linearizable? A checker for keys that are registers with conditions, for histories that a simulator records.

Linearizability is local (Herlihy and Wing 1990, section 3.1): a history is linearizable if that of each key is. For one key
this is the search of Wing and Gong (1993) with the memory of Lowe (2017, "Testing for linearizability"): a configuration is
the operations still to be placed and what the register holds, and none is explored twice. It says yes or no exactly, or
that its budget ran out; how it keeps from exploring most of the configurations is the note at ``_Search``.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from operator import or_
from typing import TypeAlias

from attrs import frozen

DEFAULT_BUDGET = 200_000
"""Configurations explored for one key: two seconds or so. A history of 60 operations takes about as many as it has writes."""

ACCOUNT_BUDGET = 20_000
"""Configurations explored once more, of a key that is wrong, for the longest order that its account shows."""

ABSENT = 0
"""What the register holds while there is no such key."""

_NOTHING = -1
"""What no register ever holds: to need it is to be impossible, and to need anything but it is to need nothing."""


class Kind(enum.Enum):
    """What an operation does."""

    PUT = "put"
    DELETE = "delete"
    GET = "get"


@frozen
class Operation:
    """One request of one client, as that client saw it. A retry is another operation, a PUT with another ``value``."""

    key: str
    kind: Kind
    invoked: int
    """Position in the one total order of all invocations and returns of the run; no two events share one."""
    returned: int | None
    """Position of the answer, after ``invoked``. None: outcome unknown, it takes effect at any time after ``invoked``, or never."""
    value: int = ABSENT
    """PUT: unique id (> 0) of what is written. GET: the id that was read, ABSENT where there was no such key."""
    expected: int | None = None
    """PUT and DELETE: takes effect only where the register holds this, ABSENT or the id of a PUT. None: in any case."""
    applied: bool | None = True
    """PUT and DELETE: whether the condition held. Where ``returned`` is None this means nothing."""
    existed: bool | None = None
    """PUT and DELETE that were applied: whether there was such a key before, None where that is not known."""
    revision: int | None = None
    """PUT and DELETE that were applied: which of the store's writes it was. Those that tell must come in that order."""
    client: str = ""
    """Who asked; for messages only."""

    def __str__(self) -> str:
        """Return the operation as a line of an account."""
        span = f"[{self.invoked}, {'unknown' if self.returned is None else self.returned}]"
        return f"{span:<18} {self.client:<8} {self._asked()}{self._answered()}"

    def _asked(self) -> str:
        condition = "" if self.expected is None else f" if {_content(self.expected)}"
        return f"{self.kind.value}{f' {self.value}' if self.kind is Kind.PUT else ''}{condition}"

    def _answered(self) -> str:
        if self.returned is None:
            return ""
        if self.kind is Kind.GET:
            return f" -> {_content(self.value)}"
        if not self.applied:
            return " -> condition failed"
        return {None: " -> done", True: " -> done, existed", False: " -> done, did not exist"}[self.existed]


class NotLinearizable(AssertionError):
    """No order of the operations of ``key`` explains what the clients saw."""

    def __init__(self, key: str, account: str) -> None:
        super().__init__(f"the history of key {key!r} is not linearizable\n{account}")
        self.key = key
        self.account = account


class BudgetExhausted(AssertionError):
    """Neither an order was found for the operations of ``key``, nor that there is none."""

    def __init__(self, key: str, budget: int) -> None:
        super().__init__(f"the history of key {key!r} is undecided after {budget} configurations")
        self.key = key
        self.budget = budget


def check_history(operations: Sequence[Operation], budget: int = DEFAULT_BUDGET) -> None:
    """Return if the history is linearizable. Every key is absent at first.

    Args:
        operations: of any number of keys, in any order.
        budget: configurations to explore for each key, at most.

    Raises:
        NotLinearizable: some key's history is not. The message holds its operations, and the longest order found.
        BudgetExhausted: some key's history could not be decided, and no other one is known to be wrong.
        AssertionError: this is no history (positions that repeat, two PUTs of one id), by a fault of who recorded it.
    """
    _assert_well_formed(operations)
    by_key: dict[str, list[Operation]] = {}
    for operation in operations:
        by_key.setdefault(operation.key, []).append(operation)
    undecided: BudgetExhausted | None = None
    for key, of_key in by_key.items():
        try:
            if not _Search(key, of_key).finds_order(budget):
                raise NotLinearizable(key, _Search(key, of_key, looks_ahead=False).account())
        except BudgetExhausted as exhausted:
            undecided = undecided or exhausted
    if undecided is not None:
        raise undecided


def _assert_well_formed(operations: Sequence[Operation]) -> None:
    positions = [operation.invoked for operation in operations]
    puts = []
    for operation in operations:
        if operation.returned is not None:
            assert operation.returned > operation.invoked, f"answered before it was asked: {operation}"
            positions.append(operation.returned)
        if operation.kind is Kind.GET:
            assert operation.expected is None, f"a GET has no condition: {operation}"
            assert operation.value >= ABSENT, f"no PUT has such an id: {operation}"
            continue
        assert operation.returned is None or operation.applied is not None, f"applied or not? {operation}"
        assert operation.expected is None or operation.expected >= ABSENT, f"no PUT has such an id: {operation}"
        if operation.kind is Kind.PUT:
            assert operation.value > ABSENT, f"the id of a PUT is positive: {operation}"
            puts.append((operation.key, operation.value))
    assert len(set(positions)) == len(positions), "two events at one position: that is no total order"
    assert len(set(puts)) == len(puts), "two PUTs of one id: what was read does not tell which one was"


@frozen
class _Rule:
    """An operation as the register sees it."""

    equal: bool
    """Whether it can only be where the register holds ``value``; otherwise only where it holds anything else."""
    value: int
    writes: int
    """What the register holds after it; _NOTHING where it leaves the register alone wherever it can be."""

    def allows(self, state: int) -> bool:
        """Return whether the operation, with its answer, can be where the register holds ``state``."""
        return (self.value == state) is self.equal


def _rule(operation: Operation) -> _Rule:
    expected, existed = operation.expected, operation.existed
    if operation.kind is Kind.GET:
        return _Rule(True, operation.value, _NOTHING)
    writes = operation.value if operation.kind is Kind.PUT else ABSENT
    if operation.returned is None:
        # Where its condition fails it does nothing, which is the same as never to take effect.
        return _Rule(False, _NOTHING, writes) if expected is None else _Rule(True, expected, writes)
    if not operation.applied:
        return _Rule(True, _NOTHING, _NOTHING) if expected is None else _Rule(False, expected, _NOTHING)
    if expected is None and existed is not False:
        return _Rule(False, ABSENT if existed else _NOTHING, writes)
    needed = ABSENT if expected is None else expected
    if existed not in (None, needed != ABSENT):
        needed = _NOTHING
    return _Rule(True, needed, _NOTHING if needed == writes else writes)


def _bits(mask: int) -> list[int]:
    """Return the positions of the ones, the highest first."""
    positions = []
    while mask:
        position = mask.bit_length() - 1
        positions.append(position)
        mask ^= 1 << position
    return positions


_Configuration: TypeAlias = tuple[int, int]
"""The operations left to place (a bit each), and what the register holds."""
_Move: TypeAlias = tuple[int, ...]
"""Operations placed one after the other: some of unknown outcome, and one of known outcome at the end."""
_Step: TypeAlias = tuple[int, int, _Configuration, _Move]
"""A configuration, not settled yet, the one before it, and the move between them."""


class _Search:
    """The search for an order of one key's operations.

    An operation is *known* if it returned; every known one must be placed. Bit i of a mask is ``operations[i]``: first the
    known ones in order of return, then those of unknown outcome in order of invocation. An order respects real time if no
    operation stands after one that was invoked when it had returned already. So a known operation can be next if it was
    invoked before the first return among those left (``_window``); and one of unknown outcome, which never returned, may be
    moved back in any order, or be left out, as far as real time goes.

    All orders are too many, so only some are tried. Each restriction is exact: if a configuration can be completed to an
    order, then it can be completed to one that the search tries.

    1. *A GET of unknown outcome* tells nothing and changes nothing; nor does a DELETE of unknown outcome of a key that must
       be absent. They are left out.
    2. *Quiet operations at once.* A known operation that changes nothing wherever it can be (a GET, a failed condition, a
       DELETE of what is absent) is placed as soon as real time and the register allow. In any completion it can be moved
       to the front: nothing left had returned before it was invoked, the register suits it, and the others find the same
       register as before. (A DELETE that does not tell whether the key existed is not quiet: elsewhere it may be needed.)
    3. *Unknown only where it is needed.* In a completion let u be of unknown outcome, and x directly after it. If x could
       also be directly before u, then u is not needed there: if x writes, the register is the same after x without u, so
       leave u out; if not, let them change places. If u is the last one, leave it out. Every such step removes an unknown
       operation or moves it back, so they come to an end: each unknown operation stands directly before one that could
       not be where it stands. And unknown operations one after the other that bring back what the register held can be
       left out together. So, before a known x that cannot be next, there come u1 ... uk after which it can be, and
       (a) each but the first has its condition made true by the one before it, so only the first can be unconditional;
       (b) they pass no content twice, nor that of the start;
       (c) if x needs a certain content, uk writes it, and backwards from it the conditions tell the way;
       (d) if x needs any content but e, the register holds e; were k > 1, it would hold e again before uk, against (b).
       An unknown PUT that nobody saw is not left out for that alone: a condition may have failed because of it, or a later
       operation found that the key existed. It is tried only where one of these is stuck.
    4. *Twins.* Of unknown operations of one kind with one condition (for PUTs: whose ids no GET and no condition names)
       an earlier invoked one goes first. No answer tells them apart, and the earlier can be wherever the later can, so
       in a completion their names can be exchanged.
    5. *A content does not come back.* Every id is written once. So as long as a known operation left needs the content that
       the register has, other than absence, no other one may change it, even if that leaves nothing to do.
    6. *Contents follow each other* (the zones of Gibbons and Korach 1997, section 4). Let the operations of an id be the PUT
       that writes it and the known ones that need it. In an order they stand from that PUT up to, at the latest, the next
       operation that writes, which may be one of them. So if any operation of v returned before any of w was invoked, all
       those of v stand before the PUT of w, but for that PUT itself where it needs v.

    7. *Revisions.* Known operations that write and tell their revision are placed in the order of these: that is no way to
       search less, but something more that must be so, and with many writes at once it leaves one order of n! of them.
       What 2, 3 and 4 move, leave out or rename tells no revision, or writes nothing.

    2 and 3 hold together: from a completion, first move the quiet ones to the front, then deal with the unknown ones in
    what follows; it begins with a move of the search, and what is left is a completion of where that leads. 4 changes
    names only, and no answer depends on these; 5 and 6 hold of every order. They look ahead, so of a history that is wrong
    they stop at the first step that cannot end well; the account is made without them, and goes on to where it does end.
    """

    def __init__(self, key: str, operations: Sequence[Operation], looks_ahead: bool = True) -> None:
        self._key = key
        self._looks_ahead = looks_ahead
        self._all = operations
        returns = sorted((operation.returned, operation) for operation in operations if operation.returned is not None)
        self._returns = [returned for returned, _ in returns]
        known = [operation for _, operation in returns]
        unknown = [operation for operation in operations if _may_matter(operation)]
        unknown.sort(key=lambda operation: operation.invoked)
        self._operations = [*known, *unknown]
        self._rules = [_rule(operation) for operation in self._operations]
        self._known = (1 << len(known)) - 1
        self._writers: dict[int, list[int]] = {}
        """By what they write, the operations of unknown outcome."""
        for position in range(len(known), len(self._operations)):
            self._writers.setdefault(self._rules[position].writes, []).append(position)
        self._index_rules()
        self._window = self._windows()
        self._gate = self._gates()
        """Of each operation, those that may not be left when it is placed: by real time for an unknown one, by 4, 6 and 7."""
        self._seen: dict[_Configuration, tuple[_Configuration, _Move] | None] = {}
        """How the search came to each configuration that it explored; None for the first."""

    def _index_rules(self) -> None:
        self._equal: dict[int, int] = {}
        """By what they need, the known operations that need a certain content."""
        self._unequal: dict[int, int] = {}
        """By what they must not find, the other known operations."""
        self._quiet = 0
        for position, rule in enumerate(self._rules[: len(self._returns)]):
            masks = self._equal if rule.equal else self._unequal
            masks[rule.value] = masks.get(rule.value, 0) | 1 << position
            if rule.writes == _NOTHING:
                self._quiet |= 1 << position
        self._any_unequal = sum(self._unequal.values())

    def _allowed(self, state: int) -> int:
        """Return the known operations that can be where the register holds ``state``."""
        return self._equal.get(state, 0) | self._any_unequal & ~self._unequal.get(state, 0)

    def _needing(self, content: int) -> int:
        """Return the known operations that are lost if ``content`` is overwritten; absence can come back."""
        return self._equal.get(content, 0) if self._looks_ahead and content != ABSENT else 0

    def _windows(self) -> list[int]:
        """Return, for each known operation, the known ones that were invoked before it returned."""
        order = sorted(range(len(self._returns)), key=lambda position: self._operations[position].invoked)
        masks = list(accumulate((1 << position for position in order), or_, initial=0))
        invocations = [self._operations[position].invoked for position in order]
        return [masks[bisect_left(invocations, returned)] for returned in self._returns]

    def _gates(self) -> list[int]:
        gates = self._zone_gates() if self._looks_ahead else [0] * len(self._rules)
        named = {operation.value for operation in self._all if operation.kind is Kind.GET}
        named.update(operation.expected for operation in self._all if operation.expected is not None)
        twins: dict[tuple[Kind, int | None], int] = {}
        for position in range(len(self._returns), len(self._operations)):
            operation = self._operations[position]
            gates[position] |= (1 << bisect_left(self._returns, operation.invoked)) - 1
            if operation.kind is Kind.DELETE or operation.value not in named:
                gates[position] |= twins.get((operation.kind, operation.expected), 0)
                twins[operation.kind, operation.expected] = 1 << position
        self._gate_revisions(gates)
        return gates

    def _gate_revisions(self, gates: list[int]) -> None:
        earlier = 0
        for _, position in sorted(
            (operation.revision, position)
            for position, operation in enumerate(self._operations[: len(self._returns)])
            if operation.revision is not None and self._rules[position].writes != _NOTHING
        ):
            gates[position] |= earlier
            earlier |= 1 << position

    def _zone_gates(self) -> list[int]:
        members: dict[int, int] = {}
        first_return: dict[int, int] = {}
        last_invocation: dict[int, int] = {}
        for position, (operation, rule) in enumerate(zip(self._operations, self._rules, strict=True)):
            needed = rule.value if rule.equal and operation.returned is not None else ABSENT
            for content in (rule.writes, needed):
                last_invocation[content] = max(last_invocation.get(content, 0), operation.invoked)
                if operation.returned is not None and content > ABSENT:
                    members[content] = members.get(content, 0) | 1 << position
                    first_return.setdefault(content, operation.returned)
        # The known operations come in order of return, so these are in order of first return.
        returns = list(first_return.values())
        returned = list(accumulate(members.values(), or_, initial=0))
        return [
            returned[bisect_left(returns, last_invocation[rule.writes])] & ~members.get(rule.writes, 0)
            if rule.writes > ABSENT
            else 0
            for rule in self._rules
        ]

    def finds_order(self, budget: int) -> bool:
        """Return whether there is an order; raise BudgetExhausted where that takes more configurations."""
        self._best = start = self._settle((1 << len(self._operations)) - 1, ABSENT)
        stack: list[_Step] = [(*start, start, ())]
        while stack:
            left, state, origin, move = stack.pop()
            configuration = self._settle(left, state)
            if configuration in self._seen:
                continue
            if len(self._seen) >= budget:
                raise BudgetExhausted(self._key, budget)
            self._seen[configuration] = (origin, move) if move else None
            if self._known_left(configuration) < self._known_left(self._best):
                self._best = configuration
            if not configuration[0] & self._known:
                return True
            stack.extend(self._moves(*configuration))
        return False

    def _known_left(self, configuration: _Configuration) -> int:
        return (configuration[0] & self._known).bit_count()

    def _settle(self, left: int, state: int) -> _Configuration:
        """Place the quiet operations that can be next."""
        quiet = self._allowed(state) & self._quiet
        while placed := self._ready(left) & quiet:
            left ^= placed
        return left, state

    def _ready(self, left: int) -> int:
        """Return the known operations that can be next as far as real time goes."""
        known = left & self._known
        return known and known & self._window[(known & -known).bit_length() - 1]

    def _moves(self, left: int, state: int) -> Iterator[_Step]:
        """Yield what can be next; what returned first comes last, to be explored first."""
        allowed = self._allowed(state)
        ready = self._ready(left)
        waiting = self._needing(state) & left
        if waiting:
            ready = ready & waiting if waiting.bit_count() == 1 else 0
        for position in _bits(ready):
            last = 1 << position
            if left & self._gate[position]:
                continue
            ways: Iterator[_Move] = iter([()]) if allowed & last else self._ways(left, state, self._rules[position])
            writes = self._rules[position].writes
            for way in ways:
                rest, found = left ^ last, state
                for unknown in way:
                    rest ^= 1 << unknown
                    found = self._rules[unknown].writes
                if writes == _NOTHING:
                    yield rest, found, (left, state), (*way, position)
                elif not self._needing(found) & rest:
                    yield rest, writes, (left, state), (*way, position)

    def _ways(self, left: int, state: int, rule: _Rule) -> Iterator[_Move]:
        """Yield the unknown operations, in order, that lead from ``state`` to where ``rule`` allows its operation."""
        if rule.equal:
            yield from self._ways_to(left, state, rule.value)
            return
        for writers in self._writers.values():
            for position in writers:
                unknown = self._rules[position]
                if unknown.allows(state) and unknown.writes != state and self._usable(left, position):
                    yield (position,)

    def _ways_to(self, left: int, state: int, content: int) -> Iterator[_Move]:
        stack: list[tuple[int, _Move, tuple[int, ...]]] = [(content, (), (content,))]
        while stack:
            target, way, passed = stack.pop()
            for position in self._writers.get(target, ()):
                if not self._usable(left, position):
                    continue
                rule = self._rules[position]
                if rule.allows(state):
                    yield (position, *way)
                elif rule.value not in passed and not self._needing(rule.value) & left:
                    stack.append((rule.value, (position, *way), (rule.value, *passed)))

    def _usable(self, left: int, position: int) -> bool:
        return left >> position & 1 == 1 and not left & self._gate[position]

    def account(self) -> str:
        """Search, and tell how far it came."""
        with suppress(BudgetExhausted):
            self.finds_order(ACCOUNT_BUDGET)
        total = len(self._returns)
        placed = total - self._known_left(self._best)
        lines = ["its operations, in order of invocation:"]
        lines += [f"  {operation}" for operation in sorted(self._all, key=lambda operation: operation.invoked)]
        lines.append(f"the longest order found, with {placed} of the {total} that returned:")
        state = ABSENT
        for position in self._order(self._best):
            writes = self._rules[position].writes
            state = state if writes == _NOTHING else writes
            lines.append(f"  {self._operations[position]!s:<60} | {_content(state)}")
        lines.append(f"there the register holds {_content(state)}; by their time, the next could be:")
        lines += [f"  {self._operations[position]}" for position in reversed(_bits(self._ready(self._best[0])))]
        return "\n".join(lines)

    def _order(self, configuration: _Configuration) -> list[int]:
        """Return the operations placed on the way to a configuration."""
        order: list[int] = []
        while True:
            step = self._seen[configuration]
            origin, move = step or (((1 << len(self._operations)) - 1, ABSENT), ())
            settled = origin[0] & ~configuration[0]
            for position in move:
                settled ^= 1 << position
            # All of these found one content, and order of return respects real time.
            order[:0] = [*move, *reversed(_bits(settled))]
            if step is None:
                return order
            configuration = origin


def _may_matter(operation: Operation) -> bool:
    """Return whether an operation of unknown outcome could make a difference to another one."""
    if operation.returned is not None or operation.kind is Kind.GET:
        return False
    return operation.kind is Kind.PUT or operation.expected != ABSENT


def _content(state: int) -> str:
    return "absent" if state == ABSENT else str(state)
