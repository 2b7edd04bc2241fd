"""The deployed path in the sandbox: 200 uploads, 8 at a time, until every image is ready.

image_api is deployed from a copy by the command that deploys it to AWS, into a sandbox of its own.
Requests, S3's events, the functions' processes and the decoding all share this machine, so the
images per second are this machine's; that none is lost and none is made twice holds anywhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.photograph import photograph
from benchmarks.ratios import Ratio, Result
from benchmarks.worker import WorkerError
from sandbox import emulator, environment, status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.emulator import Emulator

NAME = "image_throughput"
ROOT = Path(__file__).parent.parent
UPLOADS = 200
CLIENTS = 8
PICTURES = 8
SIZE = (1600, 1200)
MAX_UPLOAD_TRIES = 20
TIMEOUT = 600.0  # seconds, for all of it


def run(_rounds: int) -> Result:
    """Measure once: it is long, and says by itself how even it was. Raises WorkerError."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = emulator.start(folder / "sandbox", port=emulator.any_free_port())
        try:
            _deploy(started, folder)
            return _measure(started)
        finally:
            started.stop()


def _deploy(running: Emulator, folder: Path) -> None:
    """Deploy a copy of the part: what a deployment records belongs to this sandbox alone."""
    ignored = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "*_cache")
    shutil.copytree(ROOT / "image_api", folder / "image_api", ignore=ignored)
    # The packages Chalice built earlier: with them a deployment needs no network.
    cache = ROOT / "image_api" / ".chalice" / "deployments"
    cache.mkdir(exist_ok=True)
    (folder / "image_api" / ".chalice" / "deployments").symlink_to(cache)
    command = ["-m", "deploy", "image_api", "--stage", "local", "--root", str(folder)]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment.environment(os.environ, running.endpoint, running.directory),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WorkerError(f"image_api did not deploy: {done.stdout.strip()[-300:]}")


def _measure(running: Emulator) -> Result:
    url = status.collect(running).apis["image_api"]
    pictures = [photograph(*SIZE, seed=seed) for seed in range(PICTURES)]
    with (
        httpx.Client(base_url=url, timeout=120) as client,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        # Functions start once, not once an image.
        _wait(client, [_upload(client, pictures[0])[0]])
        print(f"{NAME}: {UPLOADS} uploads, {CLIENTS} at a time", file=sys.stderr)
        started = time.monotonic()
        uploads = list(
            clients.map(lambda number: _upload(client, pictures[number % PICTURES]), range(UPLOADS))
        )
        uploaded = time.monotonic() - started
        ids = [image_id for image_id, _again in uploads]
        print(f"{NAME}: all taken; waiting until they are ready", file=sys.stderr)
        ready = _wait(client, ids)
        seconds = time.monotonic() - started
    objects = _objects(running, ids)
    presets = max((len(image["renditions"]) for image in ready), default=0)
    lost = UPLOADS - len(ready)
    doubled = objects - sum(len(image["renditions"]) for image in ready)
    return Result(
        NAME,
        {
            f"images lost, of {UPLOADS}": _share(lost),
            f"renditions beyond the {presets} of each image, of {UPLOADS} images": _share(doubled),
        },
        figures={
            "images per second": round(len(ready) / seconds, 2),
            "uploads per second": round(UPLOADS / uploaded, 2),
            "uploads answered 503, and sent again": sum(again for _image_id, again in uploads),
        },
    )


def _share(count: int) -> Ratio:
    share = count / UPLOADS
    return Ratio(share, share, share, 0.0)


def _upload(client: httpx.Client, data: bytes) -> tuple[str, int]:
    """Return the image's id, and how often the API asked to try again before it took the upload."""
    headers = {"Content-Type": "image/jpeg"}
    for again in range(MAX_UPLOAD_TRIES):
        answer = client.post("/images", content=data, headers=headers)
        if answer.status_code == 202:
            return answer.json()["id"], again
        if answer.status_code != 503:
            break
        # A busy machine is a busy S3; what a client does then is what the answer says.
        time.sleep(float(answer.headers["Retry-After"]))
    raise WorkerError(f"an upload was answered {answer.status_code}: {answer.text[:200]}")


def _wait(client: httpx.Client, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the images that become ready in time."""
    deadline = time.monotonic() + TIMEOUT
    ready: list[dict[str, Any]] = []
    waiting = list(ids)
    while waiting and time.monotonic() < deadline:
        image = client.get(f"/images/{waiting[0]}").json()
        if image["status"] == "pending":
            time.sleep(0.2)
            continue
        waiting.pop(0)
        if image["status"] == "ready":
            ready.append(image)
    return ready


def _objects(running: Emulator, ids: Sequence[str]) -> int:
    """Count the renditions that lie in the bucket for these images."""
    s3 = status.client(running, "s3", environment.WORKLOAD_ACCOUNT)
    bucket = f"image-api-local-destination-{environment.WORKLOAD_ACCOUNT}-{environment.REGION}"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="renditions/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    wanted = set(ids)
    return sum(key.split("/")[1] in wanted for key in keys)
