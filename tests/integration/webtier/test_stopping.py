"""What the application does when its instance goes: it answers what it was asked, then ends.

The process is the artifact's own `start`, on a real PostgreSQL. A request is under way for certain:
the server has asked for its body, which is not sent before the server was told to stop.
"""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from sandbox import certificates, environment
from sandbox.emulator import any_free_port
from webtier import artifact, load_balancer, user_data

if TYPE_CHECKING:
    from tests.conftest import EmbeddedAws
    from tests.integration.webtier.conftest import Database

UNIT = (user_data.INSTANCE / "webtier.service").read_text(encoding="utf-8")
# How long systemd waits before it kills, in seconds.
LIMIT = float(re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[0])


@dataclass(frozen=True)
class Application:
    """The process, and where it listens."""

    process: subprocess.Popen[bytes]
    port: int

    def connect(self) -> ssl.SSLSocket:
        """A connection of its own, as the load balancer makes one."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)
        return ssl._create_unverified_context().wrap_socket(raw)

    def is_refused(self) -> bool:
        """Whether a new connection is."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT).close()
        except ConnectionRefusedError:
            return True
        return False

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"https://127.0.0.1:{self.port}", verify=False, timeout=30)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact, unpacked, with a certificate beside it."""
    folder = tmp_path_factory.mktemp("release")
    with tarfile.open(fileobj=io.BytesIO(artifact.build(["host"]).content)) as archive:
        archive.extractall(folder, filter="data")
    certificates.write_server(folder / "certificate.pem", folder / "key.pem")
    return folder


@pytest.fixture
def start(
    release: Path, database: Database, secret: str, embedded_aws: EmbeddedAws, tmp_path: Path
) -> Iterator[Callable[[], Application]]:
    """Starts the application, and waits until it answers."""
    aws = environment.environment(os.environ, embedded_aws.endpoint, embedded_aws.directory)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = {
        "APPLICATION_VERSION": "v1",
        "AVAILABILITY_ZONE": "us-east-1a",
        "DATABASE_SECRET_ARN": secret,
        "HOST": "127.0.0.1",
        "INSTANCE_ID": "i-1",
        "PATH": path,
        "TLS_CERTIFICATE": str(release / "certificate.pem"),
        "TLS_KEY": str(release / "key.pem"),
    }
    started: list[Application] = []

    def run() -> Application:
        port = any_free_port()
        variables = aws | database.variables() | own | {"PORT": str(port)}
        with (tmp_path / f"log-{port}").open("wb") as log:
            process = subprocess.Popen([release / "start"], env=variables, stdout=log, stderr=log)
        started.append(Application(process, port))
        deadline = time.monotonic() + 60
        while b"Listening at" not in (tmp_path / f"log-{port}").read_bytes():
            assert process.poll() is None, (tmp_path / f"log-{port}").read_text()
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.05)
        with started[-1].client() as client:
            # A worker connects to the database before it takes a request.
            assert client.get("/ready").status_code == 200, (tmp_path / f"log-{port}").read_text()
        return started[-1]

    yield run
    for application in started:
        application.process.kill()
        application.process.wait()


@pytest.fixture
def application(start: Callable[[], Application]) -> Application:
    return start()


def begin(application: Application, text: str) -> tuple[ssl.SSLSocket, str, bytes]:
    """Begin to add a note: up to where the server asks for the body, which is returned."""
    identifier = str(uuid.uuid4())
    body = f"id={identifier}&text={text}".encode()
    connection = application.connect()
    connection.sendall(
        b"POST /notes HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    asked = b""
    while not asked.endswith(b"\r\n\r\n"):
        received = connection.recv(1)
        assert received, "it closed the connection"
        asked += received
    assert asked.startswith(b"HTTP/1.1 100 "), asked
    return connection, identifier, body


@pytest.mark.parametrize("strangers", [0, 20])
def test_what_is_under_way_is_answered_nothing_new_is_taken_and_it_ends(
    application: Application, start: Callable[[], Application], strangers: int
) -> None:
    for _ in range(strangers):
        # Such as a health check that is given up while the instance is slow.
        socket.create_connection(("127.0.0.1", application.port), timeout=LIMIT).close()
    connection, identifier, body = begin(application, "under+way")
    application.process.send_signal(signal.SIGTERM)
    told = time.monotonic()
    while not application.is_refused():
        assert time.monotonic() < told + LIMIT, "it still takes connections"
    assert application.process.poll() is None, "it ended with a request under way"
    connection.sendall(body)
    with connection, HTTPResponse(connection) as answer:
        answer.begin()
        page = answer.read()
    assert answer.status == 303, page
    assert len(page) == int(answer.headers["Content-Length"])
    assert application.process.wait(LIMIT) == 0
    assert time.monotonic() - told < LIMIT
    with start().client() as client:
        assert "under way" in client.get(f"/notes/{identifier}").text


def test_with_nothing_under_way_it_ends_at_once(application: Application) -> None:
    with application.client() as client:
        assert client.get("/").status_code == 200
        # The connection stays open, as the load balancer keeps it, and holds up nothing.
        application.process.send_signal(signal.SIGTERM)
        assert application.process.wait(LIMIT) == 0


def test_a_request_that_never_ends_is_cut_off_before_the_service_is_killed(
    application: Application,
) -> None:
    connection, _, _ = begin(application, "never+sent")
    told = time.monotonic()
    application.process.send_signal(signal.SIGTERM)
    assert application.process.wait(LIMIT) == 0
    connection.close()
    # It had the time that the load balancer gives it, less what a connection takes to close.
    assert time.monotonic() - told > load_balancer.DEREGISTRATION_DELAY_SECONDS / 2
