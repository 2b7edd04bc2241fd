"""The first answer of a fresh process, beside a bare handler with a boto3 client for S3.

Both start Python, import the handler, make the client and answer one GET with one request to S3,
here a stub over loopback. What counts is the processor time of the whole process. The app lies in a
folder of its own with Chalice's runtime, as in the package; boto3 is the installed one.

Chalice's packages hold no compiled files, and Lambda's boto3 does, so there are two measurements:
with every module compiled before, and with none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import chalice

from benchmarks.ratios import Result, alternate, ratio
from benchmarks.worker import WorkerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME = "cold_start"
GOAL = 1.10
ROOT = Path(__file__).parent.parent
BARE = """
import json
import os

import boto3
from botocore.config import Config

client = boto3.client("s3", config=Config(signature_version="s3v4"))


def handler(event, context):
    answer = client.list_objects_v2(Bucket=os.environ["SOURCE_BUCKET"], Prefix="images/")
    return {"statusCode": 200, "body": json.dumps({"images": answer.get("Contents", [])})}
"""
EMPTY_LISTING = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>sources</Name>
<Prefix>images/</Prefix><KeyCount>0</KeyCount><MaxKeys>20</MaxKeys><IsTruncated>false</IsTruncated>
</ListBucketResult>"""


def run(rounds: int) -> Result:
    """Measure `rounds` times, with and without compiled files. Raises WorkerError."""
    ratios = {}
    with tempfile.TemporaryDirectory() as name, _s3_stub() as endpoint:
        folder = Path(name)
        ours, bare = _package(folder / "ours"), folder / "bare"
        bare.mkdir()
        (bare / "bare.py").write_text(BARE)
        compiled = {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        uncompiled = {
            "PYTHONPYCACHEPREFIX": str(folder / "nothing"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        for label, variables in (("compiled", compiled), ("not compiled", uncompiled)):
            environment = _environment(endpoint) | variables
            measured = alternate(
                lambda environment=environment: _cpu("app:app", ours, environment),  # type: ignore[misc]
                lambda environment=environment: _cpu("bare:handler", bare, environment),  # type: ignore[misc]
                rounds,
            )
            ratios[f"fresh process to first answer, {label}, CPU time over a bare handler"] = ratio(
                *measured, GOAL
            )
    return Result(NAME, ratios)


def _package(folder: Path) -> Path:
    """Lay out the app and Chalice's runtime as the package has them."""
    app, ignored = ROOT / "image_api", shutil.ignore_patterns("__pycache__")
    shutil.copytree(app / "chalicelib", folder / "chalicelib", ignore=ignored)
    shutil.copytree(app / "vendor", folder, ignore=ignored, dirs_exist_ok=True)
    shutil.copy(app / "app.py", folder)
    (folder / "chalice").mkdir()
    for module in ("__init__.py", "app.py"):
        shutil.copy(Path(chalice.__file__).with_name(module), folder / "chalice")
    return folder


def _environment(endpoint: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))
    }
    return kept | {
        "API_AUTH": "none",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "DESTINATION_BUCKET": "renditions",
        "SOURCE_BUCKET": "sources",
    }


def _cpu(handler: str, folder: Path, environment: Mapping[str, str]) -> float:
    """Answer one event in a fresh process; the processor time it took, in seconds."""
    worker = Path(__file__).with_name("image_cold_start_worker.py")
    process = subprocess.Popen(
        [sys.executable, "-P", str(worker), handler, str(folder)], cwd=folder, env=dict(environment)
    )
    _, status, usage = os.wait4(process.pid, 0)
    # Popen must not wait for what has been waited for.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise WorkerError(f"{handler} failed; its error is above")
    return usage.ru_utime + usage.ru_stime


class _S3(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer any GET with an empty listing."""
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(EMPTY_LISTING)))
        self.end_headers()
        self.wfile.write(EMPTY_LISTING)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name it has there
        """Say nothing."""


@contextmanager
def _s3_stub() -> Iterator[str]:
    """Answer as S3 does with nothing in it; gives the endpoint."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _S3)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
