"""S3 that fails for a moment or for long: tried again within bounds, then raised, nothing lost."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from benchmarks.photograph import photograph
from tests.integration.image_api.faults import answer, raising

ATTEMPTS = 3
FAULTS = {
    "SlowDown": answer(503, "SlowDown"),
    "InternalError": answer(500, "InternalError"),
    "ServiceUnavailable": answer(503, "ServiceUnavailable"),
    "bad gateway": answer(502),
    "read time-out": raising(ReadTimeoutError(endpoint_url="s3")),
    "connect time-out": raising(ConnectTimeoutError(endpoint_url="s3")),
    "no connection": raising(EndpointConnectionError(endpoint_url="s3")),
}
# What processing asks of S3, in this order, and what the manifest's read is told apart by.
REQUESTS = ["GetObject", "HeadObject", "PutObject", "ListObjectsV2"]


@pytest.mark.proves("S3 is slow, busy or out of reach for a moment")
def test_a_fault_that_passes_is_not_noticed(deployed, subtests):
    data = photograph(320, 240)
    expected = None
    for operation in REQUESTS:
        for name, fault in FAULTS.items():
            with subtests.test(operation=operation, fault=name):
                image_id = deployed.upload(data).json_body["id"]
                with deployed.s3_fault(operation, fault, times=ATTEMPTS - 1) as met:
                    deployed.process(deployed.event(f"images/{image_id}"))
                assert len(met) == ATTEMPTS - 1
                assert deployed.get(f"/images/{image_id}").json_body["status"] == "ready"
                made = deployed.pictures(image_id)
                assert len(made) == 4
                assert made == (expected := expected or made)


@pytest.mark.proves("S3 stays out of reach")
def test_a_fault_that_stays_is_raised_after_three_tries_and_the_next_event_mends_it(
    deployed, subtests
):
    from chalicelib.storage import StorageUnavailable

    for operation in REQUESTS:
        for name, fault in FAULTS.items():
            with subtests.test(operation=operation, fault=name):
                image_id = deployed.upload(photograph(32, 24)).json_body["id"]
                event = deployed.event(f"images/{image_id}")
                with deployed.s3_fault(operation, fault) as met:
                    with pytest.raises(ExceptionGroup) as raised:
                        deployed.process(event)
                    # As often again for the note that it failed.
                    assert len(met) in (ATTEMPTS, 2 * ATTEMPTS)
                assert raised.group_contains(StorageUnavailable)
                deployed.process(event)
                assert deployed.get(f"/images/{image_id}").json_body["status"] == "ready"


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.proves("S3's answer to a write is lost")
def test_an_answer_lost_after_the_write_is_known_as_ones_own(deployed, lost):
    expected = deployed.pictures(deployed.ready(photograph(32, 24)))
    image_id = deployed.upload(photograph(32, 24)).json_body["id"]
    sent: list[Any] = []

    def lose_the_answer(request: Any) -> Any:
        if "/manifests/" not in request.url:
            return None
        # The note of the attempt, then the manifest.
        sent.append(request)
        if len(sent) != lost:
            return None
        # The request arrives, its answer does not.
        deployed.store._client._endpoint.http_session.send(request)
        raise ReadTimeoutError(endpoint_url=request.url)

    with deployed.s3_fault("PutObject", lose_the_answer):
        deployed.process(deployed.event(f"images/{image_id}"))

    # The one that was lost, its second try, and the other one.
    assert len(sent) == 3
    assert deployed.get(f"/images/{image_id}").json_body["status"] == "ready"
    assert deployed.pictures(image_id) == expected


@pytest.mark.proves("the tries are spent")
def test_an_image_has_failed_when_lambda_has_no_retries_left(deployed):
    data = photograph(32, 24)
    expected = deployed.pictures(deployed.ready(data))
    image_id = deployed.upload(data).json_body["id"]
    event = deployed.event(f"images/{image_id}")

    def no_renditions(request: Any) -> Any:
        return answer(503, "SlowDown")(request) if "/renditions/" in request.url else None

    with deployed.s3_fault("PutObject", no_renditions):
        # What it had written before it failed stays, to be seen by nobody.
        for status in ("pending", "pending", "failed"):
            with pytest.raises(ExceptionGroup):
                deployed.process(event)
            assert deployed.get(f"/images/{image_id}").json_body["status"] == status
    shown = deployed.get(f"/images/{image_id}").json_body
    assert shown["problem"]["type"] == "/problems/processing-failed"
    assert shown["renditions"] == []
    stored = deployed.s3.get_object(Bucket=deployed.source, Key=f"images/{image_id}")
    assert stored["Body"].read() == data

    # Put back from the failure queue.
    deployed.process(event)
    shown = deployed.get(f"/images/{image_id}").json_body
    assert (shown["status"], shown["problem"]) == ("ready", None)
    assert deployed.pictures(image_id) == expected


def lapse(deployed: Any, monkeypatch: Any, seconds: float) -> None:
    """Let that many seconds pass for the API."""
    later = SimpleNamespace(time=lambda: time.time() + seconds)
    monkeypatch.setattr(deployed.api_app.images, "time", later)


def die(_request: Any) -> None:
    # No Exception: like the end of the process, nothing in the app catches it.
    raise KeyboardInterrupt


@pytest.mark.proves("a try is killed, or out of memory")
def test_attempts_that_end_without_a_word_count(deployed, monkeypatch):
    expected = deployed.pictures(deployed.ready(photograph(32, 24)))
    image_id = deployed.upload(photograph(32, 24)).json_body["id"]
    event = deployed.event(f"images/{image_id}")

    def die_writing_renditions(request: Any) -> None:
        if "/renditions/" in request.url:
            die(request)

    with deployed.s3_fault("PutObject", die_writing_renditions):
        for _attempt in range(3):
            lapse(deployed, monkeypatch, 0)
            with pytest.raises(KeyboardInterrupt):
                deployed.process(event)
            # As long as Lambda gives an attempt, nobody can know that it is over.
            assert deployed.get(f"/images/{image_id}").json_body["status"] == "pending"
            lapse(deployed, monkeypatch, 3)
            shown = deployed.get(f"/images/{image_id}").json_body
            assert shown["status"] == ("pending" if _attempt < 2 else "failed")
    assert shown["problem"]["type"] == "/problems/processing-failed"
    assert [key for key in deployed.stored() if key.startswith("manifests/")]

    deployed.process(event)
    shown = deployed.get(f"/images/{image_id}").json_body
    assert (shown["status"], shown["problem"]) == ("ready", None)
    assert deployed.pictures(image_id) == expected


def test_an_overwritten_image_fails_by_its_own_attempts(deployed, monkeypatch):
    image_id = deployed.ready(photograph(32, 24, seed=1))
    deployed.put(image_id, photograph(32, 24, seed=2))
    event = deployed.event(f"images/{image_id}")
    # Without a look at the manifest nothing can be noted.
    with deployed.s3_fault("GetObject", answer(503, "SlowDown")), pytest.raises(ExceptionGroup):
        deployed.process(event)
    for status in ("pending", "pending", "failed"):
        with (
            deployed.s3_fault("ListObjectsV2", answer(503, "SlowDown")),
            deployed.s3_fault("PutObject", unless_manifest),
            pytest.raises(ExceptionGroup),
        ):
            deployed.process(event)
        assert deployed.get(f"/images/{image_id}").json_body["status"] == status
    deployed.put(image_id, photograph(32, 24, seed=3))
    assert deployed.get(f"/images/{image_id}").json_body["status"] == "pending"


def unless_manifest(request: Any) -> Any:
    return None if "/manifests/" in request.url else answer(503, "SlowDown")(request)


@pytest.mark.proves("Lambda cannot run the function for six hours")
def test_an_upload_older_than_lambda_keeps_events_has_failed(deployed, monkeypatch):
    image_id = deployed.upload(photograph(32, 24)).json_body["id"]
    lapse(deployed, monkeypatch, 6 * 3600)
    assert deployed.get(f"/images/{image_id}").json_body["status"] == "pending"
    lapse(deployed, monkeypatch, 6.5 * 3600)
    shown = deployed.get(f"/images/{image_id}").json_body
    assert shown["status"] == "failed"
    assert shown["problem"]["type"] == "/problems/processing-failed"

    deployed.process(deployed.event(f"images/{image_id}"))
    assert deployed.get(f"/images/{image_id}").json_body["status"] == "ready"


@pytest.mark.proves("decoding takes more than the function's memory")
def test_what_does_not_fit_the_functions_own_memory_is_rejected(deployed, monkeypatch):
    data = photograph(1600, 1200)
    image_id = deployed.upload(data).json_body["id"]
    smaller = replace(deployed.worker_app.settings, function_memory=110 * 2**20)
    monkeypatch.setattr(deployed.worker_app, "settings", smaller)

    deployed.process(deployed.event(f"images/{image_id}"))

    shown = deployed.get(f"/images/{image_id}").json_body
    assert shown["status"] == "rejected"
    assert shown["problem"]["type"] == "/problems/too-many-pixels"
    assert "there are 110" in shown["problem"]["detail"]


def test_the_api_admits_by_the_memory_of_the_function_that_decodes(
    deployed, monkeypatch, assert_problem
):
    smaller = replace(deployed.api_app.settings, process_memory=110 * 2**20)
    monkeypatch.setattr(deployed.api_app, "settings", smaller)
    problem = assert_problem(deployed.upload(photograph(1600, 1200)), 422, "too-many-pixels")
    assert "there are 110" in problem["detail"]


@pytest.mark.proves("a later event fails, of an image that is ready")
def test_a_result_is_kept_when_a_later_attempt_fails(deployed):
    image_id = deployed.ready(photograph(32, 24))
    before = deployed.stored()

    with (
        deployed.s3_fault("HeadObject", answer(503, "SlowDown")),
        pytest.raises(ExceptionGroup),
    ):
        deployed.process(deployed.event(f"images/{image_id}"))

    assert deployed.stored() == before
    assert deployed.get(f"/images/{image_id}").json_body["status"] == "ready"


@pytest.mark.proves("the file is no image, or damaged")
def test_an_image_that_breaks_off_is_rejected_not_retried(deployed):
    image_id = deployed.upload(photograph(32, 24)).json_body["id"]
    deployed.put(image_id, photograph(800, 600)[:20_000])
    event = deployed.event(f"images/{image_id}")

    deployed.process(event)

    shown = deployed.get(f"/images/{image_id}").json_body
    assert shown["status"] == "rejected"
    assert shown["problem"]["type"] == "/problems/corrupt-image"
    assert shown["problem"]["status"] == 422


def test_every_log_line_names_the_image(deployed, caplog):
    image_id = deployed.upload(photograph(32, 24)).json_body["id"]
    with deployed.s3_fault("HeadObject", answer(503)), pytest.raises(ExceptionGroup):
        deployed.process(deployed.event(f"images/{image_id}"))
    deployed.process(deployed.event(f"images/{image_id}"))
    lines = [record for record in caplog.records if record.name == "image_api.processing"]
    assert len(lines) == 2
    assert {record.image_id for record in lines} == {image_id}


def test_metrics_tell_what_was_done(deployed, capsys):
    data = photograph(320, 240)
    deployed.ready(data)
    broken = deployed.upload(data).json_body["id"]
    deployed.put(broken, b"a letter")
    deployed.process(deployed.event(f"images/{broken}"))

    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    made = next(line for line in printed if "Renditions" in line)
    assert made["BytesIn"] == len(data)
    assert made["BytesOut"] == sum(
        len(body) for key, body in deployed.stored().items() if key.startswith("renditions/")
    )
    assert all(made[step] > 0 for step in ("ReadTime", "RenderTime", "WriteTime"))
    refused = next(line for line in printed if "Rejections" in line)
    assert (refused["Problem"], refused["image_id"]) == ("unsupported-format", broken)
