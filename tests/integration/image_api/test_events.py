"""Events come more than once, late, together and for nothing: the effect is exactly one."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote_plus

import pytest

from benchmarks.photograph import photograph

UNKNOWN_ID = "f" * 32


@pytest.mark.proves("the same event again, also at the same time")
def test_a_duplicate_event_changes_nothing(deployed):
    image_id = deployed.upload(photograph(800, 600)).json_body["id"]
    event = deployed.event(f"images/{image_id}")
    deployed.process(event)
    once = deployed.stored()
    assert len(once) == 5

    with deployed.s3_fault("PutObject", lambda _request: None) as written:
        for _ in range(100):
            deployed.process(event)

    assert deployed.stored() == once
    assert written == []


@pytest.mark.proves("the same event again, also at the same time")
def test_duplicate_events_at_once_end_in_one_result(deployed):
    ids = [deployed.upload(photograph(320, 240)).json_body["id"] for _ in range(2)]
    event = deployed.event(*(f"images/{image_id}" for image_id in ids))

    with ThreadPoolExecutor(8) as runs:
        for _ in runs.map(lambda _: deployed.process(event), range(24)):
            pass

    stored = deployed.stored()
    assert len(stored) == 10
    assert deployed.pictures(ids[0]) == deployed.pictures(ids[1])
    for image_id in ids:
        shown = deployed.get(f"/images/{image_id}").json_body
        assert shown["status"] == "ready"
        listed = json.loads(stored[f"manifests/{image_id}.json"])["renditions"]
        assert {entry["key"] for entry in listed} <= stored.keys()
        for entry in listed:
            assert len(stored[entry["key"]]) == entry["bytes"]


@pytest.mark.proves("the upload is overwritten, also while it is processed")
def test_an_overwritten_upload_gets_the_renditions_of_the_new_one(deployed):
    image_id = deployed.ready(photograph(800, 600, seed=1))
    first = deployed.stored()

    deployed.put(image_id, photograph(600, 800, seed=2))
    # Until they are made there are none: those of the other picture would be wrong.
    assert deployed.get(f"/images/{image_id}").json_body["status"] == "pending"
    deployed.process(deployed.event(f"images/{image_id}"))

    shown = deployed.get(f"/images/{image_id}").json_body
    assert shown["status"] == "ready"
    assert {entry["width"] for entry in shown["renditions"]} == {600, 320}
    second = deployed.stored()
    assert len(second) == 5
    # No key of a rendition is ever used for other bytes.
    assert {key for key in first if key.startswith("renditions/")}.isdisjoint(second)


@pytest.mark.proves("an older event comes late (`sequencer`)")
def test_an_older_event_that_comes_late_leaves_the_newer_result(deployed):
    image_id = deployed.upload(photograph(800, 600, seed=1)).json_body["id"]
    older = deployed.event(f"images/{image_id}")
    deployed.put(image_id, photograph(600, 800, seed=2))
    newer = deployed.event(f"images/{image_id}")
    deployed.process(newer)
    before = deployed.stored()

    # Even where what the bucket holds now would say otherwise.
    deployed.put(image_id, photograph(640, 480, seed=3))
    with deployed.s3_fault("PutObject", lambda _request: None) as written:
        deployed.process(older)

    assert written == []
    kept = json.loads(deployed.stored()[f"manifests/{image_id}.json"])
    assert kept == json.loads(before[f"manifests/{image_id}.json"])


@pytest.mark.parametrize("writes_first", [True, False])
@pytest.mark.proves("the upload is overwritten, also while it is processed")
def test_an_upload_overwritten_while_it_is_processed_ends_in_the_new_one(
    deployed, monkeypatch, writes_first
):
    from chalicelib import renditions

    image_id = deployed.upload(photograph(800, 600, seed=1)).json_body["id"]
    first, second = (deployed.event(f"images/{image_id}") for _ in range(2))
    render, put_rendition = renditions.render, deployed.store.put_rendition
    overwritten = []

    def overwrite() -> None:
        if not overwritten:
            overwritten.append(True)
            deployed.put(image_id, photograph(600, 800, seed=2))
            # The newer event overtakes this one.
            deployed.process(second)

    def render_while_overwritten(*arguments: Any) -> Any:
        result = render(*arguments)
        if not writes_first:
            overwrite()
        return result

    def write_then_be_overwritten(*arguments: Any) -> None:
        put_rendition(*arguments)
        if writes_first:
            overwrite()

    monkeypatch.setattr(renditions, "render", render_while_overwritten)
    monkeypatch.setattr(deployed.store, "put_rendition", write_then_be_overwritten)
    deployed.process(first)

    shown = deployed.get(f"/images/{image_id}").json_body
    assert shown["status"] == "ready"
    assert {entry["width"] for entry in shown["renditions"]} == {600, 320}
    assert len(deployed.stored()) == 5


@pytest.mark.proves("the function ends between two writes")
def test_a_crash_after_any_write_shows_nothing_and_the_next_run_ends_the_same(deployed, subtests):
    data = photograph(800, 600)
    whole = deployed.ready(data)
    expected = deployed.pictures(whole)
    assert deployed.client.http.delete(f"/images/{whole}").status_code == 204
    # The note of the attempt, four renditions, the manifest.
    for writes in range(6):
        image_id = deployed.upload(data).json_body["id"]
        event = deployed.event(f"images/{image_id}")
        left = iter(range(writes))

        def die(_request: Any, left: Any = left) -> None:
            if next(left, None) is None:
                # No Exception: like the end of the process, nothing in the app catches it.
                raise KeyboardInterrupt

        with subtests.test(writes=writes):
            with deployed.s3_fault("PutObject", die), pytest.raises(KeyboardInterrupt):
                deployed.process(event)
            assert deployed.get(f"/images/{image_id}").json_body["status"] == "pending"
            assert len(deployed.stored()) == writes

            deployed.process(event)
            assert deployed.get(f"/images/{image_id}").json_body["status"] == "ready"
            assert len(deployed.stored()) == 5
            assert deployed.pictures(image_id) == expected
        assert deployed.client.http.delete(f"/images/{image_id}").status_code == 204


def test_what_a_crashed_run_left_goes_when_the_upload_is_overwritten(deployed):
    image_id = deployed.upload(photograph(800, 600, seed=1)).json_body["id"]
    left = iter(range(3))

    def die(_request: Any) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    with deployed.s3_fault("PutObject", die), pytest.raises(KeyboardInterrupt):
        deployed.process(deployed.event(f"images/{image_id}"))
    orphans = {key for key in deployed.stored() if key.startswith("renditions/")}
    assert len(orphans) == 2

    deployed.put(image_id, photograph(600, 800, seed=2))
    deployed.process(deployed.event(f"images/{image_id}"))

    assert orphans.isdisjoint(deployed.stored())
    assert len(deployed.stored()) == 5


def test_an_event_with_two_records_does_both(deployed):
    ids = [deployed.upload(photograph(64, 48, seed=seed)).json_body["id"] for seed in (1, 2)]

    deployed.process(deployed.event(*(f"images/{image_id}" for image_id in ids)))

    for image_id in ids:
        assert deployed.get(f"/images/{image_id}").json_body["status"] == "ready"


@pytest.mark.proves("several records in an event, one fails")
def test_a_record_that_fails_does_not_stop_the_others_and_is_retried_alone(deployed):
    ids = [deployed.upload(photograph(64, 48, seed=seed)).json_body["id"] for seed in (1, 2)]
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{deployed.source}/images/{ids[0]}",
    }
    deployed.s3.put_bucket_policy(
        Bucket=deployed.source,
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}),
    )
    event = deployed.event(*(f"images/{image_id}" for image_id in ids))

    with pytest.raises(ExceptionGroup, match="1 of 2 images failed"):
        deployed.process(event)
    assert deployed.get(f"/images/{ids[1]}").json_body["status"] == "ready"

    # Lambda tries the event again; by then the cause is gone.
    deployed.s3.delete_bucket_policy(Bucket=deployed.source)
    with deployed.s3_fault("PutObject", lambda _request: None) as written:
        deployed.process(event)
    assert deployed.get(f"/images/{ids[0]}").json_body["status"] == "ready"
    assert not any(ids[1] in url for url in written)


@pytest.mark.proves("the upload is removed, also while it is processed")
def test_an_object_deleted_before_its_event_leaves_nothing(deployed):
    image_id = deployed.upload(photograph(64, 48)).json_body["id"]
    assert deployed.client.http.delete(f"/images/{image_id}").status_code == 204
    # Left by an attempt that was cut short.
    stray = f"renditions/{image_id}/0123456789abcdef/small-0123456789abcdef.jpg"
    deployed.s3.put_object(Bucket=deployed.destination, Key=stray, Body=b"")

    deployed.process(deployed.event(f"images/{image_id}"))

    assert deployed.stored() == {}


@pytest.mark.proves("the upload is removed, also while it is processed")
def test_an_object_deleted_while_it_is_processed_leaves_nothing(
    deployed, monkeypatch, assert_problem
):
    from chalicelib import renditions

    image_id = deployed.upload(photograph(64, 48)).json_body["id"]
    render = renditions.render

    def render_while_deleted(*arguments: Any) -> Any:
        result = render(*arguments)
        assert deployed.client.http.delete(f"/images/{image_id}").status_code == 204
        return result

    monkeypatch.setattr(renditions, "render", render_while_deleted)
    deployed.process(deployed.event(f"images/{image_id}"))

    assert deployed.stored() == {}
    assert_problem(deployed.get(f"/images/{image_id}"), 404, "image-not-found")


@pytest.mark.proves("the upload is removed, also while it is processed")
def test_derivatives_go_with_an_upload_that_is_removed(deployed, subtests):
    for name in ("ObjectRemoved:DeleteMarkerCreated", "ObjectRemoved:Delete"):
        with subtests.test(name=name):
            image_id = deployed.ready(photograph(64, 48))
            kept = deployed.ready(photograph(64, 48))
            deployed.s3.delete_object(Bucket=deployed.source, Key=f"images/{image_id}")

            event = deployed.event(f"images/{image_id}", name=name)
            deployed.process(event)
            deployed.process(event)

            assert not any(image_id in key for key in deployed.stored())
            assert sum(kept in key for key in deployed.stored()) == 5


@pytest.mark.proves("an older event comes late (`sequencer`)")
def test_a_removal_that_comes_late_leaves_the_new_upload_its_renditions(deployed):
    image_id = deployed.ready(photograph(64, 48, seed=1))
    deployed.s3.delete_object(Bucket=deployed.source, Key=f"images/{image_id}")
    removal = deployed.event(f"images/{image_id}", name="ObjectRemoved:DeleteMarkerCreated")
    deployed.put(image_id, photograph(64, 48, seed=2))
    deployed.process(deployed.event(f"images/{image_id}"))
    before = deployed.stored()
    assert len(before) == 5

    deployed.process(removal)

    assert deployed.stored() == before


@pytest.mark.proves("a delete marker is removed, so that the upload is back")
def test_an_upload_restored_from_its_version_gets_its_renditions_back(deployed):
    image_id = deployed.ready(photograph(64, 48))
    before = deployed.pictures(image_id)
    marker = deployed.s3.delete_object(Bucket=deployed.source, Key=f"images/{image_id}")
    deployed.process(deployed.event(f"images/{image_id}", name="ObjectRemoved:DeleteMarkerCreated"))
    assert deployed.stored() == {}

    deployed.s3.delete_object(
        Bucket=deployed.source, Key=f"images/{image_id}", VersionId=marker["VersionId"]
    )
    deployed.process(deployed.event(f"images/{image_id}", name="ObjectRemoved:Delete"))

    assert deployed.get(f"/images/{image_id}").json_body["status"] == "ready"
    assert deployed.pictures(image_id) == before


@pytest.mark.proves("`s3:TestEvent`, other events, unknown records")
def test_an_event_without_uploads_is_a_success_without_work(deployed, subtests):
    for event in (
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b", "RequestId": "r"},
        {"Records": []},
        {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
        {},
    ):
        with subtests.test(event=event):
            deployed.process(event)
            assert deployed.stored() == {}


@pytest.mark.proves("another bucket, another key, its own output")
def test_keys_are_decoded_once(deployed):
    image_id = deployed.upload(photograph(64, 48)).json_body["id"]
    key = f"images/{image_id}"
    data = deployed.s3.get_object(Bucket=deployed.source, Key=key)["Body"].read()
    for name in ("images/a b+", f"{key}+", f"images%2F{image_id}", f"images/../{key}"):
        deployed.s3.put_object(Bucket=deployed.source, Key=name, Body=data)

    # As S3 sends them, plus what no key decodes to or only a second decoding would turn into one.
    deployed.process(
        deployed.event(
            "images/a+b%2B",
            quote_plus(f"{key}+"),
            quote_plus(f"images%2F{image_id}"),
            quote_plus(f"images/../{key}"),
            "images/%FF",
            f"{key}%00",
            "images/caf%C3%A9",
            "images/" + "a" * 1025,
        )
    )
    assert deployed.stored() == {}

    deployed.process(deployed.event(quote_plus(key)))
    assert len(deployed.stored()) == 5


@pytest.mark.proves("another bucket, another key, its own output")
def test_events_of_other_buckets_and_of_its_own_output_are_refused(deployed):
    image_id = deployed.ready(photograph(64, 48))
    before = deployed.stored()

    with deployed.s3_fault("HeadObject", lambda _request: None) as looked:
        deployed.process(deployed.event(f"images/{image_id}", bucket=deployed.destination))
        deployed.process(deployed.event(f"images/{image_id}", bucket="somebody-elses"))
        for key in before:
            deployed.process(deployed.event(key, bucket=deployed.destination))
            deployed.process(deployed.event(key))

    assert looked == []
    assert deployed.stored() == before
