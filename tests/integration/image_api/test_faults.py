"""S3 that fails for a moment or for long: tried again within bounds, then raised, nothing lost."""

from __future__ import annotations

import json
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
                made = sorted(
                    body
                    for key, body in deployed.stored().items()
                    if key.startswith(f"renditions/{image_id}/")
                )
                assert len(made) == 4
                assert made == (expected := expected or made)


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


def test_an_answer_lost_after_the_write_is_known_as_ones_own(deployed):
    image_id = deployed.upload(photograph(32, 24)).json_body["id"]
    sent: list[Any] = []

    def lose_the_answer(request: Any) -> Any:
        if "/manifests/" not in request.url or sent:
            return None
        sent.append(True)
        # The request arrives, its answer does not.
        deployed.store._client._endpoint.http_session.send(request)
        raise ReadTimeoutError(endpoint_url=request.url)

    with deployed.s3_fault("PutObject", lose_the_answer):
        deployed.process(deployed.event(f"images/{image_id}"))

    assert sent
    assert deployed.get(f"/images/{image_id}").json_body["status"] == "ready"
    assert len(deployed.stored()) == 5


def test_an_image_has_failed_when_lambda_has_no_retries_left(deployed):
    image_id = deployed.upload(photograph(32, 24)).json_body["id"]
    event = deployed.event(f"images/{image_id}")
    data = photograph(32, 24)

    def no_renditions(request: Any) -> Any:
        return answer(503, "SlowDown")(request) if "/renditions/" in request.url else None

    with deployed.s3_fault("PutObject", no_renditions):
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
