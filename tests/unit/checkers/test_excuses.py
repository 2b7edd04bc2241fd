"""What counts of findings and excuses, whichever checker found them."""

from __future__ import annotations

from tests import excuses
from tests.excuses import Finding


def test_an_excuse_covers_its_resource_and_rule_alone() -> None:
    found = [Finding("t", "Bucket", "S1", "no logs"), Finding("t", "Other", "S1", "no logs")]
    assert excuses.remaining(found, [Finding("t", "Bucket", "S1", "it is the log")]) == [found[1]]


def test_an_excuse_without_a_finding_is_a_finding() -> None:
    (left,) = excuses.remaining([], [Finding("t", "Bucket", "S1", "it is the log")])
    assert (left.resource, left.rule) == ("Bucket", "S1")


def test_an_excuse_without_a_reason_excuses_nothing() -> None:
    found = Finding("t", "Bucket", "S1", "no logs")
    assert found in excuses.remaining([found], [Finding("t", "Bucket", "S1", " ")])
