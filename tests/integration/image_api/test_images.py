"""The image API in this process, on the embedded AWS: stack, S3 and Pillow are the real ones."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import boto3
import httpx
import pytest
from chalice.test import Client
from PIL import Image

from benchmarks.photograph import photograph
from image_api import resources

UNKNOWN_ID = "0" * 32


@dataclass(frozen=True)
class Deployed:
    """The app on its stack: `client` has the role of api_handler, `worker` that of process."""

    client: Client
    worker: Client
    s3: Any
    source: str
    destination: str

    def upload(self, data: bytes, content_type: str = "image/jpeg") -> Any:
        return self.client.http.post("/images", headers={"Content-Type": content_type}, body=data)

    def get(self, path: str) -> Any:
        return self.client.http.get(path)

    def event(self, *keys: str, bucket: str | None = None) -> dict[str, Any]:
        records = [
            self.client.events.generate_s3_event(bucket or self.source, key)["Records"][0]
            for key in keys
        ]
        return {"Records": records}

    def process(self, event: dict[str, Any]) -> None:
        self.worker.lambda_.invoke("process", event)

    def keys(self, bucket: str) -> dict[str, str]:
        """Key to ETag, the MD5 of the bytes."""
        listed = self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {entry["Key"]: entry["ETag"] for entry in listed}


@pytest.fixture
def deployed(aws, deploy_stack, load_app, unique, tmp_path, monkeypatch):
    outputs = deploy_stack(f"image-api-{unique}", resources.template())
    environment = {**resources.environment(outputs), "API_AUTH": "none", "CORS_ORIGIN": "*"}
    clients = {}
    # As in Lambda, each function has its own role: the policies are part of what is tested.
    for function, policy in resources.policies(outputs).items():
        credentials = _role_credentials(aws, f"{unique}-{function}", policy)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        app = load_app("image_api", environment | credentials).app
        clients[function] = Client(app, project_dir=str(tmp_path))
    yield Deployed(
        clients["api_handler"],
        clients["process"],
        aws.client("s3"),
        outputs["SourceBucket"],
        outputs["DestinationBucket"],
    )
    for bucket in (outputs["SourceBucket"], outputs["DestinationBucket"]):
        _empty(aws.client("s3"), bucket)


def _role_credentials(aws: Any, name: str, policy: dict[str, Any]) -> dict[str, str]:
    iam = aws.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="execution", PolicyDocument=json.dumps(policy))
    assumed = aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="test")
    return {
        "AWS_ACCESS_KEY_ID": assumed["Credentials"]["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": assumed["Credentials"]["SecretAccessKey"],
        "AWS_SESSION_TOKEN": assumed["Credentials"]["SessionToken"],
    }


def _empty(s3: Any, bucket: str) -> None:
    versions = s3.list_object_versions(Bucket=bucket)
    for version in versions.get("Versions", []) + versions.get("DeleteMarkers", []):
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def assert_problem(response: Any, status: int, slug: str) -> dict[str, Any]:
    assert response.status_code == status, response.body
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    problem = json.loads(response.body)
    assert problem["type"] == f"/problems/{slug}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


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
        assert fetched.headers["Content-Type"] == "image/jpeg"
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
    (b"\xff\xd8\xff" + bytes(4_500_000), "image/jpeg", 413, "too-large"),
    (b"no form", "multipart/form-data; boundary=x", 400, "malformed-form"),
    (b"no form", "multipart/form-data", 400, "malformed-form"),
    (b"{}", "application/json", 415, "unsupported-media-type"),
]


def test_a_broken_upload_is_a_problem_and_is_not_stored(deployed, subtests):
    for body, content_type, status, slug in BROKEN_UPLOADS:
        with subtests.test(slug=slug, content_type=content_type):
            assert_problem(deployed.upload(body, content_type), status, slug)
    assert deployed.keys(deployed.source) == {}


def test_an_image_that_breaks_off_is_rejected_not_retried(deployed):
    image_id = deployed.upload(photograph(800, 600)[:20_000]).json_body["id"]

    deployed.process(deployed.event(f"images/{image_id}"))

    shown = deployed.get(f"/images/{image_id}").json_body
    assert shown["status"] == "rejected"
    assert shown["renditions"] == []
    assert shown["problem"]["type"] == "/problems/corrupt-image"
    assert shown["problem"]["status"] == 422
    assert list(deployed.keys(deployed.destination)) == [f"renditions/{image_id}/manifest.json"]


def test_a_duplicate_event_changes_nothing(deployed):
    image_id = deployed.upload(photograph(800, 600)).json_body["id"]
    event = deployed.event(f"images/{image_id}")
    deployed.process(event)
    once = deployed.keys(deployed.destination)
    assert len(once) == 5

    for _ in range(3):
        deployed.process(event)

    assert deployed.keys(deployed.destination) == once


def test_a_crash_after_any_write_shows_nothing_and_the_next_run_ends_the_same(deployed, subtests):
    from chalicelib.storage import ImageStore

    def crash_after(writes: int) -> pytest.MonkeyPatch:
        patch = pytest.MonkeyPatch()
        left = iter(range(writes))
        for name in ("put_rendition", "put_manifest"):
            write = getattr(ImageStore, name)

            def counted(*arguments: Any, write: Any = write) -> None:
                if next(left, None) is None:
                    raise RuntimeError("the function was killed")
                write(*arguments)

            patch.setattr(ImageStore, name, counted)
        return patch

    data = photograph(800, 600)
    for writes in range(5):
        image_id = deployed.upload(data).json_body["id"]
        event = deployed.event(f"images/{image_id}")
        with subtests.test(writes=writes):
            patch = crash_after(writes)
            with pytest.raises(ExceptionGroup):
                deployed.process(event)
            patch.undo()
            assert deployed.get(f"/images/{image_id}").json_body["status"] == "pending"
            assert len(deployed.keys(deployed.destination)) == writes

            deployed.process(event)
            assert deployed.get(f"/images/{image_id}").json_body["status"] == "ready"
            assert len(deployed.keys(deployed.destination)) == 5
        assert deployed.client.http.delete(f"/images/{image_id}").status_code == 204


def test_an_event_with_two_records_does_both(deployed):
    ids = [deployed.upload(photograph(64, 48, seed=seed)).json_body["id"] for seed in (1, 2)]

    deployed.process(deployed.event(*(f"images/{image_id}" for image_id in ids)))

    assert [deployed.get(f"/images/{image_id}").json_body["status"] for image_id in ids] == [
        "ready",
        "ready",
    ]


def test_a_record_that_fails_does_not_stop_the_others(deployed):
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
    deployed.process(event)
    assert deployed.get(f"/images/{ids[0]}").json_body["status"] == "ready"


def test_a_permission_that_is_missing_is_a_500_that_tells_nothing(deployed, caplog):
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


def test_an_object_deleted_before_its_event_leaves_nothing(deployed):
    image_id = deployed.upload(photograph(64, 48)).json_body["id"]
    assert deployed.client.http.delete(f"/images/{image_id}").status_code == 204
    # Left by an attempt that was cut short.
    stray = f"renditions/{image_id}/small.jpg"
    deployed.s3.put_object(Bucket=deployed.destination, Key=stray, Body=b"")

    deployed.process(deployed.event(f"images/{image_id}"))

    assert deployed.keys(deployed.destination) == {}


def test_an_object_deleted_while_it_is_processed_leaves_nothing(deployed, monkeypatch):
    from chalicelib import processing

    image_id = deployed.upload(photograph(64, 48)).json_body["id"]
    render = processing.render

    def render_while_deleted(*arguments: Any) -> Any:
        result = render(*arguments)
        assert deployed.client.http.delete(f"/images/{image_id}").status_code == 204
        return result

    monkeypatch.setattr(processing, "render", render_while_deleted)
    deployed.process(deployed.event(f"images/{image_id}"))

    assert deployed.keys(deployed.destination) == {}
    assert_problem(deployed.get(f"/images/{image_id}"), 404, "image-not-found")


def test_an_event_without_uploads_is_a_success_without_work(deployed, subtests):
    for event in (
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b", "RequestId": "r"},
        {"Records": []},
        {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
        {},
    ):
        with subtests.test(event=event):
            deployed.process(event)
            assert deployed.keys(deployed.destination) == {}


def test_keys_are_decoded_once(deployed):
    image_id = deployed.upload(photograph(64, 48)).json_body["id"]
    key = f"images/{image_id}"
    data = deployed.s3.get_object(Bucket=deployed.source, Key=key)["Body"].read()
    for name in ("images/a b+", f"{key}+", f"images%2F{image_id}", f"images/../{key}"):
        deployed.s3.put_object(Bucket=deployed.source, Key=name, Body=data)

    # As S3 sends them, plus one that only a second decoding would turn into the upload's key.
    deployed.process(
        deployed.event(
            "images/a+b%2B",
            quote_plus(f"{key}+"),
            quote_plus(f"images%2F{image_id}"),
            quote_plus(f"images/../{key}"),
            "images/%FF",
        )
    )
    assert deployed.keys(deployed.destination) == {}

    deployed.process(deployed.event(quote_plus(key)))
    assert len(deployed.keys(deployed.destination)) == 5


def test_events_of_other_buckets_are_refused(deployed):
    image_id = deployed.upload(photograph(64, 48)).json_body["id"]

    deployed.process(deployed.event(f"images/{image_id}", bucket=deployed.destination))

    assert deployed.keys(deployed.destination) == {}


def test_a_deleted_image_is_gone_with_its_renditions(deployed):
    image_id = deployed.upload(photograph(64, 48)).json_body["id"]
    deployed.process(deployed.event(f"images/{image_id}"))

    deleted = deployed.client.http.delete(f"/images/{image_id}")

    assert deleted.status_code == 204
    assert deleted.body == b""
    assert deployed.keys(deployed.source) == {}
    assert deployed.keys(deployed.destination) == {}
    assert_problem(deployed.get(f"/images/{image_id}"), 404, "image-not-found")
    assert_problem(deployed.client.http.delete(f"/images/{image_id}"), 404, "image-not-found")


def test_a_deletion_cut_short_can_be_finished(deployed):
    image_id = deployed.upload(photograph(64, 48)).json_body["id"]
    deployed.process(deployed.event(f"images/{image_id}"))
    deployed.s3.delete_object(Bucket=deployed.source, Key=f"images/{image_id}")

    assert deployed.client.http.delete(f"/images/{image_id}").status_code == 204

    assert deployed.keys(deployed.destination) == {}


def test_an_unknown_image_is_not_found(deployed, subtests):
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


def test_a_wrong_query_parameter_is_named(deployed, subtests):
    limits = ("limit=0", "limit=101", "limit=two", "limit=%C2%B2", "limit=")
    cursors = ("cursor=***", "cursor=AA", "cursor=")
    for query in (*limits, *cursors, "page=2&limit=1"):
        with subtests.test(query=query):
            problem = assert_problem(deployed.get(f"/images?{query}"), 400, "invalid-query")
            parameter = query.split("=")[0]
            assert repr(parameter) in problem["detail"]


def test_no_storage_is_a_503_that_says_when_to_try_again(deployed, aws, load_app, tmp_path):
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
