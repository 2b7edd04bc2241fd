"""The image API in this process, on the embedded AWS: stack, S3, roles and Pillow are real."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
from chalice.test import Client

from image_api import resources

LOADER = botocore.loaders.create_loader()
SEQUENCERS = itertools.count(0x0055AED6DCD90281)


@dataclass(frozen=True)
class Deployed:
    """The app on its stack: each client has the role of the function it stands for."""

    client: Client
    worker: Client
    batch: Client
    api_app: ModuleType
    worker_app: ModuleType
    batch_app: ModuleType
    s3: Any
    source: str
    destination: str

    @property
    def store(self) -> Any:
        """The store of the function `process`."""
        return self.worker_app.store

    def upload(self, data: bytes, content_type: str = "image/jpeg") -> Any:
        return self.client.http.post("/images", headers={"Content-Type": content_type}, body=data)

    def get(self, path: str) -> Any:
        return self.client.http.get(path)

    def put(self, image_id: str, data: bytes) -> None:
        """Overwrite an upload, as a presigned one that is used twice does."""
        self.s3.put_object(
            Bucket=self.source, Key=f"images/{image_id}", Body=data, ContentType="image/jpeg"
        )

    def event(
        self, *keys: str, bucket: str | None = None, name: str = "ObjectCreated:Put"
    ) -> dict[str, Any]:
        """An event of S3 with a record for each key, later than all events before."""
        records = []
        for key in keys:
            record = self.client.events.generate_s3_event(bucket or self.source, key)["Records"][0]
            record["eventName"] = name
            record["s3"]["object"]["sequencer"] = f"{next(SEQUENCERS):018X}"
            records.append(record)
        return {"Records": records}

    def process(self, event: dict[str, Any]) -> None:
        self.worker.lambda_.invoke("process", event)

    def ready(self, data: bytes) -> str:
        """Upload and process; the image's id."""
        image_id: str = self.upload(data).json_body["id"]
        self.process(self.event(f"images/{image_id}"))
        assert self.get(f"/images/{image_id}").json_body["status"] == "ready"
        return image_id

    def stored(self) -> dict[str, bytes]:
        """Every object of the destination bucket: its key and its bytes."""
        listed = self.s3.list_objects_v2(Bucket=self.destination).get("Contents", [])
        return {
            entry["Key"]: self.s3.get_object(Bucket=self.destination, Key=entry["Key"])[
                "Body"
            ].read()
            for entry in listed
        }

    def pictures(self, image_id: str) -> list[bytes]:
        """The bytes of every rendition of an image, sorted."""
        start = f"renditions/{image_id}/"
        return sorted(body for key, body in self.stored().items() if key.startswith(start))

    def keys(self, bucket: str) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [entry["Key"] for entry in listed]

    @contextmanager
    def s3_fault(
        self, operation: str, fault: Callable[[Any], Any], times: int | None = None
    ) -> Iterator[list[str]]:
        """Have botocore meet a fault just before it sends: `fault` raises, answers, or gives None.

        The first `times` requests of that operation meet it, or all. Yields the URLs that did.
        """
        met: list[str] = []

        def before_send(request: Any, **_rest: Any) -> Any:
            if times is not None and len(met) >= times:
                return None
            met.append(request.url)
            return fault(request)

        events = self.store._client.meta.events
        events.register(f"before-send.s3.{operation}", before_send)
        yield met
        events.unregister(f"before-send.s3.{operation}", before_send)


@pytest.fixture
def deployed(aws, deploy_stack, load_app, unique, tmp_path, monkeypatch):
    # botocore's pauses between its tries are not what is tested.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    outputs = deploy_stack(f"image-api-{unique}", resources.template())
    environment = {
        **resources.environment(outputs),
        "API_AUTH": "none",
        "CORS_ORIGIN": "*",
        "STAGE": "local",
    }
    clients, modules = {}, {}
    policies = resources.policies(outputs)
    # As in Lambda, each function has its own role: the policies are part of what is tested. What is
    # loaded last is what `import chalicelib` finds.
    for function in ("api_handler", "reprocess", "process"):
        credentials = _role_credentials(aws, f"{unique}-{function}", policies[function])
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", _session())
        modules[function] = load_app("image_api", environment | credentials)
        clients[function] = Client(modules[function].app, project_dir=str(tmp_path))
    yield Deployed(
        clients["api_handler"],
        clients["process"],
        clients["reprocess"],
        modules["api_handler"],
        modules["process"],
        modules["reprocess"],
        aws.client("s3"),
        outputs["SourceBucket"],
        outputs["DestinationBucket"],
    )
    for bucket in (outputs["SourceBucket"], outputs["DestinationBucket"]):
        _empty(aws.client("s3"), bucket)


def _session() -> boto3.Session:
    """A session that reads the environment anew, but not the models of AWS's services."""
    core = botocore.session.get_session()
    core.register_component("data_loader", LOADER)
    return boto3.Session(botocore_session=core)


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


@pytest.fixture
def assert_problem() -> Callable[..., dict[str, Any]]:
    """Asserts that a response is a problem document, and returns it."""

    def check(response: Any, status: int, slug: str) -> dict[str, Any]:
        assert response.status_code == status, response.body
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        problem: dict[str, Any] = json.loads(response.body)
        assert problem["type"] == f"/problems/{slug}"
        assert problem["status"] == status
        assert problem["title"]
        assert problem["detail"]
        return problem

    return check
