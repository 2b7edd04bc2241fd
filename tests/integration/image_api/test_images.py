"""The HTTP API: uploads, documents, pages, deletion."""

from __future__ import annotations

import io
import json

import httpx
from chalice.test import Client
from PIL import Image

from benchmarks.photograph import photograph

UNKNOWN_ID = "f" * 32


def test_an_upload_becomes_renditions(deployed):
    data = photograph(2400, 1600, orientation=6)
    accepted = deployed.upload(data)

    assert accepted.status_code == 202
    image_id = accepted.json_body["id"]
    assert accepted.json_body["status"] == "pending"
    assert accepted.headers["Location"] == f"images/{image_id}"
    stored = deployed.s3.get_object(Bucket=deployed.source, Key=f"images/{image_id}")
    assert stored["Body"].read() == data
    assert stored["ContentType"] == "image/jpeg"

    waiting = deployed.get(f"/images/{image_id}").json_body
    assert waiting["status"] == "pending"
    assert waiting["renditions"] == []

    deployed.process(deployed.event(f"images/{image_id}"))

    shown = deployed.get(f"/images/{image_id}").json_body
    assert shown["status"] == "ready"
    assert shown["problem"] is None
    assert shown["source"] == {
        "media_type": "image/jpeg",
        "bytes": len(data),
        "width": 1600,
        "height": 2400,
    }
    sizes = {entry["preset"]: (entry["width"], entry["height"]) for entry in shown["renditions"]}
    assert sizes == {
        "xlarge": (1600, 2400),
        "large": (1280, 1920),
        "medium": (640, 960),
        "small": (320, 480),
    }
    for entry in shown["renditions"]:
        fetched = httpx.get(entry["url"])
        assert fetched.status_code == 200, fetched.text
        assert fetched.headers["Content-Type"] == entry["media_type"] == "image/jpeg"
        assert fetched.headers["Cache-Control"] == "private, max-age=3600, immutable"
        assert len(fetched.content) == entry["bytes"]
        with Image.open(io.BytesIO(fetched.content)) as rendition:
            assert rendition.format == "JPEG"
            assert rendition.size == (entry["width"], entry["height"])
            assert not rendition.getexif()


def test_a_rendition_is_not_public(deployed):
    image_id = deployed.upload(photograph(64, 64)).json_body["id"]
    deployed.process(deployed.event(f"images/{image_id}"))
    url = deployed.get(f"/images/{image_id}").json_body["renditions"][0]["url"]

    assert httpx.get(url).status_code == 200
    assert httpx.get(url.split("?")[0]).status_code == 403


def test_a_form_is_taken_as_well(deployed):
    data = photograph(64, 48)
    form = httpx.Request(
        "POST",
        "http://localhost/images",
        files={"note": ("", b"holiday"), "file": ("a.jpg", data, "image/jpeg")},
    )
    accepted = deployed.upload(form.read(), form.headers["Content-Type"])

    assert accepted.status_code == 202
    stored = deployed.s3.get_object(
        Bucket=deployed.source, Key=f"images/{accepted.json_body['id']}"
    )
    assert stored["Body"].read() == data


BROKEN_UPLOADS = [
    (b"", "image/png", 400, "empty"),
    (b"<html>", "image/png", 415, "unsupported-format"),
    (b"\xff\xd8\xff\xe0", "image/jpeg", 422, "corrupt-image"),
    (photograph(800, 600)[:20_000], "image/jpeg", 422, "corrupt-image"),
    (b"\xff\xd8\xff" + bytes(4_500_000), "image/jpeg", 413, "too-large"),
    (b"no form", "multipart/form-data; boundary=x", 400, "malformed-form"),
    (b"no form", "multipart/form-data", 400, "malformed-form"),
    (b"{}", "application/json", 415, "unsupported-media-type"),
]


def test_a_broken_upload_is_a_problem_and_is_not_stored(deployed, assert_problem, subtests):
    for body, content_type, status, slug in BROKEN_UPLOADS:
        with subtests.test(slug=slug, content_type=content_type):
            assert_problem(deployed.upload(body, content_type), status, slug)
    assert deployed.keys(deployed.source) == []


def test_an_image_that_is_damaged_inside_is_rejected_not_retried(deployed):
    output = io.BytesIO()
    Image.open(io.BytesIO(photograph(400, 300))).save(output, "WEBP", lossless=True)
    damaged = bytearray(output.getvalue())
    # Whole by its structure, so only decoding finds the damage.
    damaged[40:140] = bytes(100)
    image_id = deployed.upload(bytes(damaged), "image/webp").json_body["id"]

    deployed.process(deployed.event(f"images/{image_id}"))

    shown = deployed.get(f"/images/{image_id}").json_body
    assert shown["status"] == "rejected"
    assert shown["renditions"] == []
    assert shown["problem"]["type"] == "/problems/corrupt-image"
    assert shown["problem"]["status"] == 422
    assert deployed.keys(deployed.destination) == [f"manifests/{image_id}.json"]


def test_a_permission_that_is_missing_is_a_500_that_tells_nothing(deployed, assert_problem, caplog):
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"}
    deployed.s3.put_bucket_policy(
        Bucket=deployed.source,
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [deny | {"Resource": f"arn:aws:s3:::{deployed.source}/*"}],
            }
        ),
    )
    response = deployed.upload(photograph(64, 48))

    problem = assert_problem(response, 500, "internal-server-error")
    assert deployed.source not in json.dumps(problem)
    assert "AccessDenied" in caplog.text


def test_a_deleted_image_is_gone_with_its_renditions(deployed, assert_problem):
    image_id = deployed.upload(photograph(64, 48)).json_body["id"]
    deployed.process(deployed.event(f"images/{image_id}"))

    deleted = deployed.client.http.delete(f"/images/{image_id}")

    assert deleted.status_code == 204
    assert deleted.body == b""
    assert deployed.keys(deployed.source) == []
    assert deployed.keys(deployed.destination) == []
    assert_problem(deployed.get(f"/images/{image_id}"), 404, "image-not-found")
    assert_problem(deployed.client.http.delete(f"/images/{image_id}"), 404, "image-not-found")


def test_a_deletion_cut_short_can_be_finished(deployed):
    image_id = deployed.upload(photograph(64, 48)).json_body["id"]
    deployed.process(deployed.event(f"images/{image_id}"))
    deployed.s3.delete_object(Bucket=deployed.source, Key=f"images/{image_id}")
    assert len(deployed.keys(deployed.destination)) == 5

    assert deployed.client.http.delete(f"/images/{image_id}").status_code == 204

    assert deployed.keys(deployed.destination) == []


def test_an_unknown_image_is_not_found(deployed, assert_problem, subtests):
    for method in ("GET", "DELETE"):
        for image_id in (UNKNOWN_ID, "x", "..%2Fmanifest", "ü", "A" * 32):
            with subtests.test(method=method, image_id=image_id):
                response = deployed.client.http.request(method, f"/images/{image_id}")
                assert_problem(response, 404, "image-not-found")


def test_pages_show_every_image_once_newest_first(deployed):
    uploaded = [deployed.upload(photograph(32, 24, seed=n)).json_body["id"] for n in range(5)]
    deployed.process(deployed.event(f"images/{uploaded[0]}"))

    pages, path = [], "/images?limit=2"
    while path:
        answer = deployed.get(path).json_body
        pages.append(answer["images"])
        path = answer["next"] and f"/images?limit=2&cursor={answer['next']}"

    shown = [image for page in pages for image in page]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(image["id"] for image in shown) == sorted(uploaded)
    assert [image["created_at"] for image in shown] == sorted(
        (image["created_at"] for image in shown), reverse=True
    )
    ready = next(image for image in shown if image["id"] == uploaded[0])
    assert ready["status"] == "ready"
    assert len(ready["renditions"]) == 4


def test_a_wrong_query_parameter_is_named(deployed, assert_problem, subtests):
    limits = ("limit=0", "limit=101", "limit=two", "limit=%C2%B2", "limit=")
    cursors = ("cursor=***", "cursor=AA", "cursor=")
    for query in (*limits, *cursors, "page=2&limit=1"):
        with subtests.test(query=query):
            problem = assert_problem(deployed.get(f"/images?{query}"), 400, "invalid-query")
            parameter = query.split("=")[0]
            assert repr(parameter) in problem["detail"]


def test_no_storage_is_a_503_that_says_when_to_try_again(
    deployed, assert_problem, aws, load_app, tmp_path
):
    # A port nothing listens on stands for S3 being out of reach.
    app = load_app(
        "image_api",
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "SOURCE_BUCKET": deployed.source},
    ).app
    response = Client(app, project_dir=str(tmp_path)).http.get(f"/images/{UNKNOWN_ID}")

    problem = assert_problem(response, 503, "storage-unavailable")
    assert response.headers["Retry-After"] == "2"
    assert "127.0.0.1" not in json.dumps(problem)


def test_the_buckets_are_private_encrypted_and_versioned(deployed):
    for bucket in (deployed.source, deployed.destination):
        block = deployed.s3.get_public_access_block(Bucket=bucket)
        assert set(block["PublicAccessBlockConfiguration"].values()) == {True}
        encryption = deployed.s3.get_bucket_encryption(Bucket=bucket)
        rule = encryption["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        assert deployed.s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        policy = json.loads(deployed.s3.get_bucket_policy(Bucket=bucket)["Policy"])
        assert policy["Statement"][0]["Effect"] == "Deny"
        assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_body_too_large_names_the_way_that_takes_it(deployed, assert_problem):
    problem = assert_problem(deployed.upload(b"\xff\xd8\xff" + bytes(4_500_000)), 413, "too-large")
    assert problem["links"] == {"uploads": "uploads"}
    assert deployed.client.http.post("/uploads").status_code == 201


def test_a_ready_image_brings_its_srcset(deployed):
    image = deployed.get(f"/images/{deployed.ready(photograph(800, 600))}").json_body

    # The picture is narrower than two of the presets: the first of them stands for that width.
    urls = {entry["width"]: entry["url"] for entry in reversed(image["renditions"])}
    assert image["srcset"] == {
        "image/jpeg": ", ".join(f"{urls[width]} {width}w" for width in (320, 640, 800))
    }


def test_documents_are_not_cached(deployed):
    image_id = deployed.ready(photograph(32, 24))
    for path in ("/images", f"/images/{image_id}", f"/images/{UNKNOWN_ID}"):
        assert deployed.get(path).headers["Cache-Control"] == "no-store"


def test_renditions_lie_under_names_of_their_bytes_to_be_cached_for_ever(deployed):
    deployed.ready(photograph(32, 24))
    for key in deployed.keys(deployed.destination):
        stored = deployed.s3.head_object(Bucket=deployed.destination, Key=key)
        if key.startswith("renditions/"):
            assert stored["CacheControl"] == "public, max-age=31536000, immutable"
            assert stored["ContentType"] == "image/jpeg"
        else:
            assert stored["CacheControl"] == "no-store"


def test_with_a_cdn_urls_are_the_cdns(deployed, load_app, tmp_path):
    image_id = deployed.ready(photograph(32, 24))
    app = load_app("image_api", {"CDN_BASE_URL": "https://img.example.com/"}).app

    shown = Client(app, project_dir=str(tmp_path)).http.get(f"/images/{image_id}").json_body

    keys = deployed.keys(deployed.destination)
    for entry in shown["renditions"]:
        assert entry["url"].removeprefix("https://img.example.com/") in keys
