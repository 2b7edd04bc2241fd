"""The decision and the size of the action; what it does on AWS is in tests/integration."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitoring import action, remediation

concurrency = st.one_of(st.none(), st.integers(0, 1000))
caps = st.integers(0, 100)


def _apply(decision: str, reserved: int | None, before: str | None, cap: int):
    """What AWS holds after a decision: (reserved concurrency, tag)."""
    match decision:
        case "cap":
            return cap, action.UNRESERVED if reserved is None else str(reserved)
        case "restore":
            return (None if before in (None, action.UNRESERVED) else int(before)), None
        case "forget":
            return reserved, None
        case _:
            return reserved, before


def _converge(state: str, reserved: int | None, before: str | None, cap: int, times: int = 1):
    for _ in range(times):
        decision = action.decide(state, reserved, before, cap)
        reserved, before = _apply(decision, reserved, before, cap)
    return reserved, before


@given(concurrency, caps)
def test_an_alarm_that_comes_and_goes_leaves_what_was_there(reserved: int | None, cap: int) -> None:
    during = _converge("ALARM", reserved, None, cap)
    assert during[0] is not None
    assert during[0] <= cap
    assert _converge("OK", *during, cap) == (reserved, None)


@given(concurrency, caps, st.integers(2, 4), st.sampled_from(["ALARM", "OK", "INSUFFICIENT_DATA"]))
def test_an_event_delivered_again_changes_nothing(
    reserved: int | None, cap: int, times: int, state: str
) -> None:
    once = _converge(state, reserved, None, cap)
    assert _converge(state, reserved, None, cap, times) == once


@given(st.integers(0, 100), st.integers(0, 100))
def test_concurrency_is_never_raised_by_a_cap(reserved: int, cap: int) -> None:
    after, _ = _converge("ALARM", reserved, None, cap)
    assert after <= reserved


@given(concurrency, concurrency, caps)
def test_what_someone_sets_during_the_alarm_stays(
    reserved: int | None, theirs: int | None, cap: int
) -> None:
    capped, tag = _converge("ALARM", reserved, None, cap)
    if theirs == capped:
        return
    assert _converge("OK", theirs, tag, cap) == (theirs, None)


@given(concurrency, caps)
def test_a_crash_between_two_writes_is_made_good_by_the_next_run(
    reserved: int | None, cap: int
) -> None:
    if action.decide("ALARM", reserved, None, cap) != "cap":
        return
    _, tag = _apply("cap", reserved, None, cap)
    tagged_only = (reserved, tag)
    assert _converge("ALARM", *tagged_only, cap) == (cap, tag)
    assert _converge("OK", *tagged_only, cap) == (reserved, None)
    restored_but_tagged = (reserved, tag)
    assert _converge("OK", *restored_but_tagged, cap) == (reserved, None)


@given(concurrency, st.one_of(st.none(), st.just("7")), caps)
def test_without_data_nothing_is_done(reserved: int | None, before: str | None, cap: int) -> None:
    assert action.decide("INSUFFICIENT_DATA", reserved, before, cap) == "none"


def test_the_code_fits_inline_and_every_decision_can_be_told() -> None:
    assert len(remediation.CODE.read_text()) <= remediation.LONGEST_CODE
    assert set(action.TOLD) == {"cap", "restore", "forget", "none"}
