from __future__ import annotations

import pytest

from webtier.drill.publishing import allows

SERVICE = "events.rds.amazonaws.com"


def document(**changed):
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": SERVICE},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
    }
    return {"Statement": [{**statement, **changed}]}


USE = ("kms:Decrypt", "kms:GenerateDataKey")


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"Principal": {"Service": ["cloudwatch.amazonaws.com", SERVICE]}},
        {"Principal": "*"},
        {"Principal": {"AWS": "*"}},
        {"Action": "kms:*"},
        {"Action": ["KMS:decrypt", "kms:generatedatakey"]},
    ],
)
def test_a_statement_that_lets_the_service_in(changed) -> None:
    assert allows([document(**changed)], SERVICE, USE)
    assert allows([{"Statement": document(**changed)["Statement"][0]}], SERVICE, USE)


@pytest.mark.parametrize(
    "changed",
    [
        {"Effect": "Deny"},
        {"Principal": {"Service": "cloudwatch.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::111111111111:root"}},
        {"Action": "kms:Decrypt"},
    ],
)
def test_a_statement_that_does_not(changed) -> None:
    assert not allows([document(**changed)], SERVICE, USE)


def test_two_statements_together_may() -> None:
    parts = [document(Action=action) for action in USE]
    assert allows(parts, SERVICE, USE)
    assert not allows([], SERVICE, USE)
