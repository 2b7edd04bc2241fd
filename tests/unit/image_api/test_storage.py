"""Answers of S3 that the embedded AWS cannot be made to give: botocore's Stubber gives them."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import boto3
import pytest
from botocore.exceptions import ClientError, IncompleteReadError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from image_api.chalicelib import identifiers, manifests, storage
from image_api.chalicelib.storage import ImageStore, StorageUnavailable, StoredManifest

IMAGE_ID = identifiers.new_id()
MANIFEST = manifests.rejected(manifests.Origin("v", "1", "p"), {})


@pytest.fixture
def s3():
    client = boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
    )
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def store(s3):
    return ImageStore(s3.client, "sources", "renditions")


def half_a_body():
    body = StreamingBody(io.BytesIO(b"half"), content_length=8)
    return {"Body": body, "ContentLength": 8}


@pytest.mark.parametrize(
    ("code", "status"),
    [("SlowDown", 503), ("InternalError", 500), ("ServiceUnavailable", 503), ("SlowDown", 429)],
)
def test_s3_that_cannot_now_is_unavailable(s3, store, code, status):
    s3.add_client_error("put_object", code, http_status_code=status)
    with pytest.raises(StorageUnavailable):
        store.put_source(IMAGE_ID, b"data", "image/png")


def test_a_missing_permission_is_no_outage(s3, store):
    s3.add_client_error("get_object", "AccessDenied", http_status_code=403)
    with pytest.raises(ClientError, match="AccessDenied"):
        store.read_source(IMAGE_ID, '"etag"')


def test_a_body_that_breaks_off_is_read_again(s3, store):
    s3.add_response("get_object", half_a_body())
    whole = StreamingBody(io.BytesIO(b"all of it"), content_length=9)
    s3.add_response("get_object", {"Body": whole, "ContentLength": 9})
    assert store.read_source(IMAGE_ID, '"etag"') == b"all of it"


def test_a_body_that_always_breaks_off_is_an_outage_not_an_image(s3, store):
    for _ in range(storage.ATTEMPTS):
        s3.add_response("get_object", half_a_body())
    with pytest.raises(StorageUnavailable) as raised:
        store.read_source(IMAGE_ID, '"etag"')
    assert isinstance(raised.value.__cause__, IncompleteReadError)


@pytest.mark.parametrize(
    ("code", "status"),
    [("PreconditionFailed", 412), ("ConditionalRequestConflict", 409), ("NoSuchKey", 404)],
)
def test_a_manifest_that_another_run_has_replaced_is_left_alone(s3, store, code, status):
    stored = StoredManifest(MANIFEST, '"etag"')
    s3.add_client_error("put_object", code, http_status_code=status)
    assert store.put_manifest(IMAGE_ID, MANIFEST, stored) is None
    s3.add_client_error("delete_object", code, http_status_code=status)
    store.delete_manifest(IMAGE_ID, stored)


def test_other_errors_of_a_conditional_write_are_raised(s3, store):
    s3.add_client_error("put_object", "AccessDenied", http_status_code=403)
    with pytest.raises(ClientError, match="AccessDenied"):
        store.put_manifest(IMAGE_ID, MANIFEST, None)


def test_a_deletion_done_in_part_is_an_outage(s3, store):
    failed = [{"Key": "k", "Code": "InternalError", "Message": "We encountered an error."}]
    s3.add_response("delete_objects", {"Errors": failed})
    with pytest.raises(StorageUnavailable, match="InternalError"):
        store.delete_renditions(["k"])


def test_more_keys_than_one_request_takes_are_deleted_in_several(s3, store):
    for _ in range(3):
        s3.add_response("delete_objects", {})
    store.delete_renditions([str(number) for number in range(2001)])


def test_a_page_ends_at_a_name_that_is_no_image(s3, store):
    listed = [{"Key": f"images/{IMAGE_ID}"}, {"Key": "images/notes.txt"}]
    s3.add_response("list_objects_v2", {"Contents": listed, "IsTruncated": True})
    page = store.list_sources(2, None)
    assert page.image_ids == (IMAGE_ID,)
    assert page.next == "notes.txt"


@pytest.mark.parametrize(("version_id", "version"), [("v1", "v1"), ("null", '"e"'), (None, '"e"')])
def test_an_upload_without_a_version_is_known_by_its_bytes(s3, store, version_id, version):
    answer = {
        "ContentType": "image/png",
        "ContentLength": 3,
        "ETag": '"e"',
        "LastModified": datetime(2026, 1, 1, tzinfo=UTC),
    }
    s3.add_response(
        "head_object", answer if version_id is None else answer | {"VersionId": version_id}
    )
    found = store.find_source(IMAGE_ID)
    assert found.version == version
    assert found.uploaded == 1_767_225_600


def test_one_bucket_for_both_is_refused(s3):
    with pytest.raises(ValueError, match="need two buckets, not sources twice"):
        ImageStore(s3.client, "sources", "sources")


def test_a_cdn_serves_the_keys_as_they_are(s3):
    store = ImageStore(s3.client, "sources", "renditions", "https://img.example.com/a")
    assert store.url("renditions/x/y/z.jpg", "image/jpeg") == (
        "https://img.example.com/a/renditions/x/y/z.jpg"
    )
