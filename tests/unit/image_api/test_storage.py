"""Answers of S3 that the embedded AWS cannot be made to give: botocore's Stubber gives them."""

from __future__ import annotations

import io

import boto3
import pytest
from botocore.exceptions import ClientError, IncompleteReadError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from image_api.chalicelib import formats, identifiers
from image_api.chalicelib.refusals import TooLarge
from image_api.chalicelib.storage import ImageStore, StorageUnavailable

IMAGE_ID = identifiers.new_id()


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
        store.get_source(IMAGE_ID)


def test_a_body_that_breaks_off_is_an_outage_not_an_image(s3, store):
    body = StreamingBody(io.BytesIO(b"half"), content_length=8)
    s3.add_response("get_object", {"Body": body, "ContentLength": 8})
    with pytest.raises(StorageUnavailable) as raised:
        store.get_source(IMAGE_ID)
    assert isinstance(raised.value.__cause__, IncompleteReadError)


def test_an_object_over_the_limit_is_refused_unread(s3, store):
    size = formats.MAX_BYTES + 1
    stream = io.BytesIO(b"x")
    s3.add_response("get_object", {"Body": StreamingBody(stream, size), "ContentLength": size})
    with pytest.raises(TooLarge):
        store.get_source(IMAGE_ID)
    assert stream.closed


def test_a_deletion_done_in_part_is_an_outage(s3, store):
    failed = [{"Key": "k", "Code": "InternalError", "Message": "We encountered an error."}]
    s3.add_response("delete_objects", {"Errors": failed})
    with pytest.raises(StorageUnavailable, match="InternalError"):
        store.delete_renditions(IMAGE_ID)


def test_a_page_ends_at_a_name_that_is_no_image(s3, store):
    listed = [{"Key": f"images/{IMAGE_ID}"}, {"Key": "images/notes.txt"}]
    s3.add_response("list_objects_v2", {"Contents": listed, "IsTruncated": True})
    page = store.list_sources(2, None)
    assert page.image_ids == (IMAGE_ID,)
    assert page.next == "notes.txt"
