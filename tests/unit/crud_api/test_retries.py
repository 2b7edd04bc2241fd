import time

import botocore.exceptions
import pytest

from crud_api.chalicelib import retries
from crud_api.chalicelib.retries import Deadline, UnavailableError


def client_error(code, status=400, reasons=()):
    return botocore.exceptions.ClientError(
        {
            "Error": {"Code": code, "Message": ""},
            "ResponseMetadata": {"HTTPStatusCode": status},
            "CancellationReasons": [{"Code": reason} for reason in reasons],
        },
        "PutItem",
    )


TIME_OUT = botocore.exceptions.ReadTimeoutError(endpoint_url="http://x")
UNREACHABLE = botocore.exceptions.EndpointConnectionError(endpoint_url="http://x")


@pytest.mark.parametrize(
    ("error", "temporary", "unsure"),
    [
        (client_error("ThrottlingException"), True, False),
        (client_error("ProvisionedThroughputExceededException"), True, False),
        (client_error("RequestLimitExceeded"), True, False),
        (client_error("TransactionConflictException"), True, False),
        (client_error("TransactionInProgressException"), True, False),
        (client_error("InternalServerError", 500), True, True),
        (client_error("ServiceUnavailable", 503), True, True),
        (TIME_OUT, True, True),
        (UNREACHABLE, True, True),
        (client_error("ConditionalCheckFailedException"), False, False),
        (client_error("ValidationException"), False, False),
        (client_error("AccessDeniedException"), False, False),
        (client_error("TransactionCanceledException"), False, False),
        (
            client_error("TransactionCanceledException", reasons=["None", "TransactionConflict"]),
            True,
            False,
        ),
        (
            client_error("TransactionCanceledException", reasons=["ThrottlingError", "None"]),
            True,
            False,
        ),
        (
            client_error(
                "TransactionCanceledException",
                reasons=["ConditionalCheckFailed", "TransactionConflict"],
            ),
            False,
            False,
        ),
    ],
)
def test_what_is_tried_again(error, temporary, unsure):
    assert retries.is_temporary(error) == temporary
    assert temporary is False or retries.is_unsure(error) == unsure


class Service:
    """Fails as told, one error a call, and then answers."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def put_item(self, **parameters):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return parameters


@pytest.fixture
def slept(monkeypatch):
    pauses = []
    monkeypatch.setattr(retries.time, "sleep", pauses.append)
    return pauses


def test_an_answer_after_a_failure(slept):
    service = Service(client_error("ThrottlingException"))
    assert retries.call(service, "put_item", Deadline.of(None), Key=1) == ({"Key": 1}, False)
    service = Service(client_error("InternalServerError", 500), client_error("ThrottlingException"))
    assert retries.call(service, "put_item", Deadline.of(None)) == ({}, True)


def test_attempts_and_pauses_are_bounded(slept):
    service = Service(*[client_error("ThrottlingException")] * 99)
    with pytest.raises(UnavailableError, match="ThrottlingException") as caught:
        retries.call(service, "put_item", Deadline.of(None))
    assert not caught.value.unsure
    assert service.calls == retries.ATTEMPTS
    assert len(slept) == retries.ATTEMPTS - 1
    for attempt, seconds in enumerate(slept):
        assert 0 <= seconds <= retries.FIRST_PAUSE * 2**attempt


def test_pauses_differ(slept):
    for _ in range(9):
        retries.pause(5 - 1, Deadline.of(None))
    assert len(set(slept)) == 9


def test_no_attempt_begins_that_could_end_too_late(slept):
    service = Service(TIME_OUT)
    with pytest.raises(UnavailableError) as caught:
        retries.call(service, "put_item", Deadline(time.monotonic() + 3.9))
    assert caught.value.unsure
    assert (service.calls, slept) == (1, [])


def test_an_error_for_good_says_whether_a_try_before_it_may_have_been_done(slept):
    service = Service(TIME_OUT, client_error("ConditionalCheckFailedException"))
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        retries.call(service, "put_item", Deadline.of(None))
    assert caught.value.unsure


def test_a_conflict_names_the_actions(slept):
    error = client_error("TransactionCanceledException", reasons=["TransactionConflict", "None"])
    with pytest.raises(UnavailableError) as caught:
        retries.call(Service(*[error] * 9), "put_item", Deadline.of(None))
    assert caught.value.conflicts == {0}


class Context:
    def __init__(self, milliseconds):
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self):
        return self.milliseconds


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [(28_000, retries.REQUEST_SECONDS), (900_000, retries.REQUEST_SECONDS), (6_000, 5), (0, -1)],
)
def test_the_deadline_is_the_functions_or_the_gateways(milliseconds, seconds):
    deadline = Deadline.of(Context(milliseconds))
    assert deadline.at - time.monotonic() == pytest.approx(seconds, abs=0.5)
