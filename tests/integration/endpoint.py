"""An HTTPS endpoint that people would have alarms sent to, on this machine."""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Endpoint:
    """Confirms its subscription, then answers each delivery with `status`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status: Callable[[dict[str, Any]], int] = lambda _message: 200
        self.taken: list[dict[str, Any]] = []
        self.attempts: list[dict[str, Any]] = []
        self.confirmed = threading.Event()

    def answer(self, kind: str, document: dict[str, Any]) -> int:
        """Take what SNS posts and say how it is answered."""
        if kind == "SubscriptionConfirmation":
            with urllib.request.urlopen(document["SubscribeURL"], timeout=30) as answer:
                answer.read()
            self.confirmed.set()
            return 200
        self.attempts.append(document)
        status = self.status(document)
        if status == 200:
            self.taken.append(document)
        return status


@contextlib.contextmanager
def endpoint(folder: Path) -> Iterator[Endpoint]:
    """Run one until the end of the block; `folder` is for its certificate."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = running.answer(self.headers["x-amz-sns-message-type"], json.loads(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    running = Endpoint(f"https://127.0.0.1:{server.server_port}/alerts")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
