"""The application as an instance runs it: a process of its own, over TLS."""

from __future__ import annotations

import ast
import http.client
import json
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from webtier.application import server

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(server.__file__)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a running server."""
    directory = tmp_path_factory.mktemp("certificate")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    command = [sys.executable, "-I", SCRIPT, "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(
        [*command, "--certificate", certificate, "--key", key],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        yield int(process.stdout.readline().split()[-1])
        process.terminate()


def connection(port: int, maximum: ssl.TLSVersion | None = None) -> http.client.HTTPSConnection:
    # As the load balancer does: encrypted, without a look at the certificate.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if maximum:
        context.maximum_version = maximum
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)


def request(port: int, method: str, path: str) -> tuple[int, str, bytes]:
    client = connection(port)
    try:
        client.request(method, path)
        answer = client.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()
    finally:
        client.close()


def test_health(port: int) -> None:
    status, media_type, body = request(port, "GET", "/health")
    assert (status, media_type) == (200, "application/json; charset=utf-8")
    assert json.loads(body) == {"status": "ok"}


def test_greeting_names_the_instance(port: int) -> None:
    status, _, body = request(port, "GET", "/?from=load-balancer")
    assert (status, body) == (200, f"Hello from {socket.gethostname()}\n".encode())


def test_other_paths_are_not_found_and_other_methods_not_implemented(port: int) -> None:
    assert request(port, "GET", "/../etc/passwd")[0] == 404
    assert request(port, "POST", "/health")[0] == 501


def test_head_has_no_body(port: int) -> None:
    assert request(port, "HEAD", "/health")[2] == b""


def test_one_connection_serves_many_requests(port: int) -> None:
    client = connection(port)
    for _ in range(3):
        client.request("GET", "/health")
        assert client.getresponse().read() == b'{"status": "ok"}'
        sockets = client.sock
        assert sockets is not None
    client.close()


def test_a_client_that_never_says_hello_does_not_stop_the_others(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)):
        assert request(port, "GET", "/health")[0] == 200


def test_plain_http_is_refused(port: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    client.request("GET", "/health")
    with pytest.raises((http.client.HTTPException, OSError)):
        client.getresponse()
    client.close()


def test_it_keeps_to_the_python_of_amazon_linux_2023() -> None:
    """Amazon Linux 2023 User Guide, "Python in AL2023": the system's Python is 3.9."""
    ast.parse(SCRIPT.read_text(), feature_version=(3, 9))
