"""`reprocess`: renditions follow the presets, as S3 Batch Operations asks for it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest

from benchmarks.photograph import photograph


def job(deployed: Any, *keys: str, bucket: str | None = None, **arguments: str) -> dict[str, Any]:
    """Run one invocation of a job; result code and text by key."""
    tasks = [
        {
            "taskId": str(number),
            "s3Key": quote(key),
            "s3VersionId": None,
            "s3Bucket": bucket or deployed.source,
        }
        for number, key in enumerate(keys)
    ]
    event = {
        "invocationSchemaVersion": "2.0",
        "invocationId": "abc",
        "job": {"id": "f3cc4f60", "userArguments": arguments},
        "tasks": tasks,
    }
    answered = deployed.batch.lambda_.invoke("reprocess", event).payload
    assert answered["invocationId"] == "abc"
    return {
        key: (result["resultCode"], result["resultString"])
        for key, result in zip(keys, answered["results"], strict=True)
    }


@pytest.fixture
def change_presets(deployed, monkeypatch):
    """Have `reprocess` go by the last two presets, where earlier runs went by all."""
    from chalicelib import processing

    fewer = replace(processing.PRESETS, renditions=processing.PRESETS.renditions[2:])

    def change() -> None:
        digest = sha256(repr(fewer).encode()).hexdigest()[:16]
        monkeypatch.setattr(processing, "PRESETS", fewer)
        monkeypatch.setattr(processing, "PRESETS_DIGEST", digest)

    return change


def test_what_is_up_to_date_is_left_alone(deployed):
    image_id = deployed.ready(photograph(64, 48))
    before = deployed.stored()

    assert job(deployed, f"images/{image_id}") == {f"images/{image_id}": ("Succeeded", "unchanged")}

    assert deployed.stored() == before


def test_changed_presets_make_everything_anew(deployed, change_presets):
    image_id = deployed.ready(photograph(800, 600))
    key = f"images/{image_id}"
    before = deployed.stored()
    change_presets()

    assert job(deployed, key, dry_run="true") == {key: ("Succeeded", "would be made")}
    assert deployed.stored() == before

    assert job(deployed, key) == {key: ("Succeeded", "ready")}
    shown = deployed.get(f"/{key}").json_body
    assert [entry["width"] for entry in shown["renditions"]] == [640, 320]
    after = deployed.stored()
    assert len(after) == 3
    # What both presets have keeps its name and its bytes: its URL goes on working.
    for name, data in after.items():
        if name.startswith("renditions/"):
            assert before[name] == data
    assert job(deployed, key, dry_run="true") == {key: ("Succeeded", "unchanged")}


def test_every_task_gets_its_result(deployed):
    image_id = deployed.upload(photograph(32, 24)).json_body["id"]
    gone = "images/" + "f" * 32
    keys = (f"images/{image_id}", gone, "images/notes é+.txt")

    planned = job(deployed, *keys, dry_run="true")
    assert list(planned.values()) == [
        ("Succeeded", "would be made"),
        ("Succeeded", "would be removed"),
        ("PermanentFailure", "not an upload of this API"),
    ]
    assert deployed.stored() == {}

    done = job(deployed, *keys)
    assert list(done.values()) == [
        ("Succeeded", "ready"),
        ("Succeeded", "removed"),
        ("PermanentFailure", "not an upload of this API"),
    ]
    assert job(deployed, keys[0], bucket="other")[keys[0]][0] == "PermanentFailure"


def test_a_task_that_fails_now_is_to_be_tried_again(deployed):
    ids = [deployed.upload(photograph(32, 24, seed=seed)).json_body["id"] for seed in (1, 2)]
    deployed.put(ids[1], b"a letter")
    client = deployed.batch_app.store._client

    def refuse(request: Any, **_rest: Any) -> None:
        if ids[0] in request.url:
            raise ConnectionError

    client.meta.events.register("before-send.s3.HeadObject", refuse)
    done = job(deployed, *(f"images/{image_id}" for image_id in ids))
    client.meta.events.unregister("before-send.s3.HeadObject", refuse)

    assert [code for code, _ in done.values()] == ["TemporaryFailure", "Succeeded"]
    assert done[f"images/{ids[1]}"][1] == "rejected"
