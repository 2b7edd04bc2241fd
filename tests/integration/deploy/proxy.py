"""A proxy in front of the embedded AWS that sees each request, and can move S3's clock."""

from __future__ import annotations

import threading
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable


class Proxy:
    """Passes requests on to `endpoint`.

    `on_done` is told of each request when AWS has done it, before the caller has the answer; where
    it returns True the caller never gets one. `ahead` is how far the clock of the answers goes
    ahead of the embedded AWS's.
    """

    def __init__(self, endpoint: str) -> None:
        self.on_done: Callable[[str], bool] = lambda _request: False
        self.ahead = timedelta()
        target = urlsplit(endpoint).netloc
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_request(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                connection = HTTPConnection(target, timeout=120)
                connection.request(self.command, self.path, body, dict(self.headers.items()))
                answer = connection.getresponse()
                content = answer.read()
                connection.close()
                if proxy.on_done(request_line(self.command, self.path, body)):
                    self.close_connection = True
                    return
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() == "date":
                        moved = parsedate_to_datetime(value) + proxy.ahead
                        self.send_header(name, format_datetime(moved, usegmt=True))
                    elif name.lower() not in {"transfer-encoding", "connection"}:
                        self.send_header(name, value)
                if answer.getheader("Content-Length") is None:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def request_line(method: str, path: str, body: bytes) -> str:
    """Name the request: `CreateStack NAME` where the body has an action, else method and path."""
    form = parse_qs(body.decode(errors="replace")) if b"Action=" in body else {}
    if "Action" in form:
        subject = form.get("StackName") or form.get("RoleName") or [""]
        return f"{form['Action'][0]} {subject[0]}"
    return f"{method} {path}"
