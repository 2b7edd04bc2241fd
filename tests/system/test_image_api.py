"""The image API as it is deployed: S3 starts real functions, which are killed while they write."""

from __future__ import annotations

import io
import json
import subprocess
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from benchmarks.photograph import photograph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Checkout

FUNCTION = "image_api-local-process"
SOURCE = "image-api-local-source-111111111111-us-east-1"
DESTINATION = "image-api-local-destination-111111111111-us-east-1"
STORED = 5  # four renditions and the manifest, in whose place the attempt was noted before
# Takes the place of app.py's handler: the process is killed before one of its writes, some times.
KILLER = """
import os
import signal
import tempfile
from pathlib import Path

import app

died = Path(tempfile.gettempdir()) / os.environ["RUN"]
written = []


def die(request, **_rest):
    written.append(request.url)
    deaths = len(died.read_text()) if died.exists() else 0
    if len(written) > int(os.environ["WRITES"]) and deaths < int(os.environ["DEATHS"]):
        died.write_text("x" * (deaths + 1))
        os.kill(os.getpid(), signal.SIGKILL)


app.store._client.meta.events.register("before-send.s3.PutObject", die)
process = app.process
"""


@dataclass(frozen=True)
class Live:
    """The deployed part: its URL, its copy of the project, and boto3 clients."""

    checkout: Checkout
    url: str
    client: Callable[[str], Any]

    def upload(self, data: bytes) -> str:
        posted = httpx.post(
            f"{self.url}/images", content=data, headers={"Content-Type": "image/jpeg"}, timeout=30
        )
        assert posted.status_code == 202, posted.text
        image_id: str = posted.json()["id"]
        return image_id

    def get(self, image_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = httpx.get(f"{self.url}/images/{image_id}", timeout=30).json()
        return shown

    def wait(self, image_id: str, status: str, timeout: float = 60) -> dict[str, Any]:
        return eventually(
            lambda: shown if (shown := self.get(image_id))["status"] == status else None, timeout
        )

    def keys(self, image_id: str) -> list[str]:
        """The keys of what the destination bucket has of an image."""
        s3 = self.client("s3")
        return [
            entry["Key"]
            for prefix in (f"renditions/{image_id}/", f"manifests/{image_id}.json")
            for entry in s3.list_objects_v2(Bucket=DESTINATION, Prefix=prefix).get("Contents", [])
        ]

    def stored(self, image_id: str) -> dict[str, bytes]:
        """The same with the bytes."""
        s3 = self.client("s3")
        return {
            key: s3.get_object(Bucket=DESTINATION, Key=key)["Body"].read()
            for key in self.keys(image_id)
        }

    def deploy(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m deploy` for the part."""
        command = " ".join(["python -m deploy image_api --stage local", *options])
        return self.checkout.run("bash", "-c", f'eval "$(python -m sandbox env)" && {command}')

    def configure(self, handler: str, timeout: int = 120, **variables: str) -> None:
        """Set handler and time-out (seconds) of `process`, and variables besides its own."""
        client = self.client("lambda")
        current = client.get_function_configuration(FunctionName=FUNCTION)
        own = {
            name: value
            for name, value in current["Environment"]["Variables"].items()
            if name not in ("RUN", "WRITES", "DEATHS")
        }
        client.update_function_configuration(
            FunctionName=FUNCTION,
            Handler=handler,
            Timeout=timeout,
            Environment={"Variables": own | variables},
        )
        client.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION)


def eventually(look: Callable[[], Any], timeout: float = 60) -> Any:
    deadline = time.monotonic() + timeout
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.1)
    return found


def any_file(folder: Path, name: str) -> bool:
    return any(folder.rglob(name))


@pytest.fixture(scope="module")
def live(checkout: Checkout) -> Iterator[Live]:
    """The part alone in a sandbox, deployed by the command that deploys it to AWS."""
    started = checkout.run("python", "-m", "sandbox", "up", "--empty", "--detach")
    assert started.returncode == 0, started.stdout
    deploy = 'eval "$(python -m sandbox env)" && python -m deploy image_api --stage local'
    deployed = checkout.run("bash", "-c", deploy)
    assert deployed.returncode == 0, deployed.stdout
    status = json.loads(checkout.run("python", "-m", "sandbox", "status", "--json").stdout)

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=status["endpoint"],
            region_name="us-east-1",
            aws_access_key_id="111111111111",
            aws_secret_access_key="sandbox",
        )

    yield Live(checkout, status["apis"]["image_api"].rstrip("/"), client)
    checkout.run("python", "-m", "sandbox", "down")


@pytest.fixture(scope="module")
def killable(live: Live) -> Live:
    """The same with the killer in the package of `process`."""
    client = live.client("lambda")
    package = httpx.get(client.get_function(FunctionName=FUNCTION)["Code"]["Location"]).content
    packed = io.BytesIO(package)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("killer.py", KILLER)
    client.update_function_code(FunctionName=FUNCTION, ZipFile=packed.getvalue())
    client.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION)
    return live


def test_the_package_is_small_and_made_for_lambda(live: Live) -> None:
    location = live.client("lambda").get_function(FunctionName=FUNCTION)["Code"]["Location"]
    package = httpx.get(location).content
    assert len(package) <= 10_000_000
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        names = archive.namelist()
        wheels = [name for name in names if name.endswith(".dist-info/WHEEL")]
        assert wheels
        for wheel in wheels:
            tags = archive.read(wheel).decode()
            assert "Tag: py3-none-any" in tags or "manylinux" in tags, wheel
        # Times and rights that differ would make two packages of the same content.
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert not any(name.startswith(("boto3/", "botocore/")) for name in names)
    assert len(names) == len(set(names))


def test_what_is_uploaded_by_a_form_becomes_renditions(live: Live) -> None:
    form = httpx.post(f"{live.url}/uploads", timeout=30).json()
    data = photograph(2400, 1600)
    sent = httpx.post(form["url"], data=form["fields"], files={"file": ("a.jpg", data)}, timeout=30)
    assert sent.status_code == 204, sent.text

    shown = live.wait(form["id"], "ready")

    assert shown["source"]["bytes"] == len(data)
    for entry in shown["renditions"]:
        fetched = httpx.get(entry["url"])
        assert fetched.headers["Content-Type"] == entry["media_type"]
        assert len(fetched.content) == entry["bytes"]


@pytest.mark.parametrize("size", [4_600_000, 5_000_000, 11_000_000])
def test_a_body_too_large_is_a_problem_with_the_way_that_takes_it(live: Live, size: int) -> None:
    # The first one reaches the app; for the others API Gateway answers by itself.
    url = f"{live.url}/images"
    answer = httpx.post(
        url, content=bytes(size), headers={"Content-Type": "image/jpeg"}, timeout=60
    )
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    problem = answer.json()
    assert problem["type"] == "/problems/too-large"
    uploads = httpx.URL(url).join(problem["links"]["uploads"])
    assert httpx.post(uploads, timeout=30).status_code == 201


def test_uploads_at_once_are_all_ready_once(live: Live) -> None:
    with ThreadPoolExecutor(2) as clients:
        ids = list(clients.map(lambda seed: live.upload(photograph(64, 48, seed=seed)), range(8)))
    assert len(set(ids)) == 8
    for image_id in ids:
        live.wait(image_id, "ready")
        assert len(live.stored(image_id)) == STORED


@pytest.mark.proves("the upload is removed, also while it is processed")
def test_renditions_go_when_the_upload_is_removed(live: Live) -> None:
    image_id = live.upload(photograph(320, 240))
    live.wait(image_id, "ready")
    live.client("s3").delete_object(Bucket=SOURCE, Key=f"images/{image_id}")
    eventually(lambda: not live.keys(image_id))


@pytest.mark.proves("the function ends between two writes")
def test_a_function_killed_between_two_writes_ends_the_same_when_it_is_tried_again(
    killable: Live, subtests
) -> None:
    data = photograph(640, 480)
    killable.configure("app.process")
    whole = killable.upload(data)
    killable.wait(whole, "ready")
    expected = sorted(
        body for key, body in killable.stored(whole).items() if key.startswith("renditions/")
    )
    assert len(expected) == 4
    files = killable.checkout.path / ".sandbox"
    # Between the note of the attempt and a rendition, between two renditions, and between the last
    # of them and the manifest.
    for writes in (1, 2, 5):
        with subtests.test(writes=writes):
            run = f"killed-before-{writes}"
            killable.configure("killer.process", RUN=run, WRITES=str(writes), DEATHS="1")
            image_id = killable.upload(data)
            eventually(partial(any_file, files, run))
            # Dead now, until Lambda tries again: of what it had written nothing is to be seen.
            seen = killable.get(image_id)
            assert seen["status"] == "ready" or (seen["status"], seen["renditions"]) == (
                "pending",
                [],
            )
            killable.wait(image_id, "ready")
            stored = killable.stored(image_id)
            assert len(stored) == STORED
            made = sorted(body for key, body in stored.items() if key.startswith("renditions/"))
            assert made == expected


@pytest.mark.proves("a try is killed, or out of memory")
@pytest.mark.proves("the tries are spent")
@pytest.mark.proves("the event is redriven")
def test_an_event_whose_retries_are_spent_waits_and_is_redriven(killable: Live) -> None:
    # Killed ones say nothing: that the last attempt is over is known when its time is.
    killable.configure("killer.process", timeout=5, RUN="spent", WRITES="2", DEATHS="3")
    data = photograph(640, 480)
    image_id = killable.upload(data)
    queue = killable.client("sqs").get_queue_url(QueueName="image-api-local-failures")["QueueUrl"]

    def waiting() -> int:
        counted = killable.client("sqs").get_queue_attributes(
            QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(counted["Attributes"]["ApproximateNumberOfMessages"])

    eventually(lambda: waiting() == 1)
    shown = killable.wait(image_id, "failed")
    assert shown["problem"]["type"] == "/problems/processing-failed"
    assert shown["renditions"] == []
    kept = killable.client("s3").get_object(Bucket=SOURCE, Key=f"images/{image_id}")["Body"]
    assert kept.read() == data

    killable.configure("app.process")
    redriven = killable.deploy("--redrive")

    assert redriven.returncode == 0, redriven.stdout
    assert "1 events are on their way again" in redriven.stdout
    killable.wait(image_id, "ready")
    assert len(killable.stored(image_id)) == STORED
    assert waiting() == 0


@pytest.mark.proves("S3 stays out of reach")
@pytest.mark.proves("the event is redriven")
def test_a_fault_that_stays_ends_as_failed(killable: Live) -> None:
    killable.configure("app.process")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{DESTINATION}/renditions/*",
    }
    s3 = killable.client("s3")
    policy = s3.get_bucket_policy(Bucket=DESTINATION)["Policy"]
    document = json.loads(policy)
    document["Statement"].append(deny)
    s3.put_bucket_policy(Bucket=DESTINATION, Policy=json.dumps(document))
    try:
        image_id = killable.upload(photograph(320, 240))
        shown = killable.wait(image_id, "failed")
    finally:
        s3.put_bucket_policy(Bucket=DESTINATION, Policy=policy)
    assert shown["problem"]["type"] == "/problems/processing-failed"

    eventually(lambda: "1 events" in killable.deploy("--redrive").stdout)
    killable.wait(image_id, "ready")


def test_a_plan_after_a_deployment_has_nothing_to_do_and_a_deletion_leaves_the_data(
    killable: Live,
) -> None:
    # The killer got into the function by hand: a plan sees it, and a deployment takes it out.
    assert f"change  function {FUNCTION}\n" in killable.deploy("--plan").stdout
    killable.deploy()
    planned = killable.deploy("--plan")
    assert planned.returncode == 0, planned.stdout
    kept = killable.upload(photograph(64, 48))
    killable.wait(kept, "ready")

    deleted = killable.deploy("--delete", "--yes")

    assert deleted.returncode == 0, deleted.stdout
    stacks = killable.client("cloudformation").describe_stacks()["Stacks"]
    assert not [stack for stack in stacks if stack["StackName"].startswith("image-api")]
    assert len(killable.stored(kept)) == STORED
