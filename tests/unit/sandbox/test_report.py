from __future__ import annotations

import io

from rich.console import Console

from sandbox.tour.report import Report


def report() -> tuple[Report, io.StringIO]:
    written = io.StringIO()
    return Report(Console(file=written, soft_wrap=True)), written


def test_a_step_prints_its_evidence_and_a_tick() -> None:
    shown, written = report()
    with shown.step("upload") as step:
        step.evidence("POST", "[202] accepted")
    assert shown.table()
    lines = written.getvalue().splitlines()
    assert lines[1:3] == ["upload", "    POST           [202] accepted"]
    assert lines[3].startswith("  ✔ ")
    assert lines[-1] == "  ✔ upload"


def test_a_failed_check_says_what_was_seen_and_the_tour_goes_on() -> None:
    shown, written = report()
    with shown.step("first") as step:
        step.check(holds=False, otherwise="expected 202, got 500")
        step.evidence("never", "printed")
    with shown.step("second"):
        pass
    assert not shown.table()
    assert "  ✘ expected 202, got 500 (" in written.getvalue()
    assert "never" not in written.getvalue()
    assert shown.outcomes == [("first", False), ("second", True)]


def test_an_unexpected_error_fails_its_step() -> None:
    shown, written = report()
    with shown.step("breaks"):
        raise KeyError("status")
    assert shown.outcomes == [("breaks", False)]
    assert "KeyError: 'status'" in written.getvalue()


def test_waiting_gives_what_was_found_and_says_that_it_waits() -> None:
    shown, written = report()
    answers = iter([None] * 25 + ["ready"])
    with shown.step("waits") as step:
        assert step.wait("the renditions", lambda: next(answers), timeout=10) == "ready"
    assert "… 2 s, waiting for the renditions" in written.getvalue()


def test_waiting_in_vain_fails_the_step() -> None:
    shown, written = report()
    with shown.step("waits") as step:
        step.wait("nothing", lambda: None, timeout=0.2)
    assert shown.outcomes == [("waits", False)]
    assert "for nothing in vain" in written.getvalue()
