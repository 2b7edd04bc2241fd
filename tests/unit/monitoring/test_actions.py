"""When actions begin, go on and end; what they do on AWS is in tests/integration."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitoring import package
from monitoring.actions import engine
from monitoring.actions.engine import Limits, Run
from monitoring.actions.entries import TRIGGERS, Entry, step
from monitoring.actions.outcome import Outcome
from monitoring.actions.redrive import event_of
from monitoring.simulation import MemoryLedger

STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")


@dataclass
class World:
    """Something an action changes, and how often it was asked to."""

    value: int = 5
    performed: int = 0
    crash: bool = False
    helped: bool = True
    looked: list[Entry] = field(default_factory=list)

    def prepare(self) -> dict[str, str]:
        return {"before": str(self.value)}

    def perform(self, _remembered: dict[str, str]) -> Outcome:
        self.performed += 1
        if self.crash:
            raise ConnectionError("on the way")
        self.value = 1
        return Outcome("done")

    def describe(self) -> str:
        return "done"

    def review(self, _remembered: dict[str, str], state: str) -> Outcome:
        return Outcome("looked", done=not self.helped)

    def finish(self, remembered: dict[str, str]) -> str:
        self.value = int(remembered["before"])
        return "undone"


def limits(budget: int = 10, cool_down: int = 0, dry_run: bool = False) -> Limits:
    return Limits(cool_down=cool_down, budget=budget, patience=60, dry_run=dry_run)


def act(world: World, ledger: MemoryLedger, state: str, now: int, given_: Limits | None = None):
    what = Run("cap", "function", "alarm", state, now)
    return engine.run(what, world, ledger, given_ or limits(), world.looked.append)


@given(st.lists(st.sampled_from(STATES), max_size=40))
def test_whatever_order_events_come_in_the_last_state_decides(states: list[str]) -> None:
    world, ledger = World(), MemoryLedger()
    for now, state in enumerate([*states, "OK"]):
        act(world, ledger, state, now)
    assert world.value == 5
    act(world, ledger, "ALARM", len(states) + 1)
    assert world.value == 1


@given(st.lists(st.sampled_from(STATES), max_size=60), st.integers(0, 5))
def test_no_sequence_of_events_goes_beyond_the_budget(states: list[str], budget: int) -> None:
    world, ledger = World(), MemoryLedger()
    for now, state in enumerate(states):
        act(world, ledger, state, now, limits(budget))
    assert world.performed <= budget


@given(st.lists(st.tuples(st.sampled_from(STATES), st.integers(0, 50)), max_size=60))
def test_two_beginnings_are_a_cool_down_apart(steps: list[tuple[str, int]]) -> None:
    world, ledger, now, began = World(), MemoryLedger(), 0, []
    for state, later in steps:
        now += later
        record = act(world, ledger, state, now, limits(100, cool_down=40))
        if record and record["event"] == "begin":
            began.append(now)
    assert all(second - first >= 40 for first, second in pairwise(began))


@given(st.integers(2, 500))
def test_copies_of_an_event_begin_once(copies: int) -> None:
    world, ledger = World(), MemoryLedger()
    records = [act(world, ledger, "ALARM", 7) for _ in range(copies)]
    assert sum(record is not None for record in records) == 1
    assert world.performed == 1


def test_a_crash_is_made_good_and_charged_once() -> None:
    world, ledger = World(crash=True), MemoryLedger()
    for _ in range(3):
        try:
            act(world, ledger, "ALARM", 7, limits(1))
        except ConnectionError:
            continue
    world.crash = False
    record = act(world, ledger, "ALARM", 8, limits(1))
    assert record is not None
    assert record["event"] == "begin"
    assert world.value == 1


def test_over_the_budget_is_told_once_in_a_cool_down() -> None:
    world, ledger = World(), MemoryLedger()
    records = [act(world, ledger, "ALARM", now, limits(0, cool_down=100)) for now in range(50)]
    assert [record["event"] for record in records if record] == ["over-budget"]
    assert world.performed == 0


def test_a_dry_run_begins_and_ends_without_doing_anything() -> None:
    world, ledger = World(), MemoryLedger()
    begun = act(world, ledger, "ALARM", 1, limits(dry_run=True))
    ended = act(world, ledger, "OK", 2, limits(dry_run=True))
    assert (begun or {})["summary"] == "done (dry run, not done)"
    assert (ended or {})["event"] == "finish"
    assert (world.performed, world.value, world.looked) == (0, 5, [])


def test_what_does_not_help_is_undone_and_rests() -> None:
    world, ledger = World(helped=False), MemoryLedger()
    act(world, ledger, "ALARM", 100)
    (entry,) = world.looked
    what = Run("cap", "function", "alarm", "ALARM", 160)
    given_ = limits(cool_down=1000)
    stopped = engine.review(what, entry.since, world, ledger, given_, world.looked.append)
    assert (stopped or {})["summary"] == "looked; undone"
    assert world.value == 5
    assert act(world, ledger, "ALARM", 500, given_) is None
    assert engine.review(what, entry.since, world, ledger, given_, world.looked.append) is None


@given(st.sampled_from(sorted(TRIGGERS)), st.sampled_from(STATES), st.integers(0, 9))
def test_without_data_or_an_entry_nothing_ends(action: str, state: str, now: int) -> None:
    assert step(action, "INSUFFICIENT_DATA", None, now) == "nothing"
    expected = "begin" if state == TRIGGERS[action] else "nothing"
    assert step(action, state, None, now) == expected


def test_an_event_is_found_in_a_record_and_in_a_dead_letter() -> None:
    record = '{"requestContext": {}, "requestPayload": {"a": 1}, "responsePayload": {}}'
    assert event_of(record) == {"a": 1}
    assert event_of('{"a": 1}') == {"a": 1}


def test_the_archive_is_the_actions_folder_and_nothing_else() -> None:
    with zipfile.ZipFile(BytesIO(package.archive())) as archive:
        names = archive.namelist()
    assert set(names) == {f"actions/{path.name}" for path in package.ACTIONS.glob("*.py")}
    module, _, function = package.HANDLER.rpartition(".")
    assert f"{module.replace('.', '/')}.py" in names
    assert function == "handler"


def test_the_actions_import_the_standard_library_themselves_and_boto3_alone() -> None:
    import ast
    import sys

    for path in package.ACTIONS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                root = name.split(".")[0]
                assert root == "boto3" or root in sys.stdlib_module_names, f"{path.name}: {name}"
