"""The application on each instance: a greeting, and the health check of the load balancer.

Needs nothing but the Python 3.9 that Amazon Linux 2023 comes with.

    GET /        200, one line of text that names the instance
    GET /health  200, {"status": "ok"}
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class Handler(BaseHTTPRequestHandler):
    """Answers one connection of the load balancer."""

    protocol_version = "HTTP/1.1"
    server_version = "webtier"
    sys_version = ""
    # Longer than the load balancer's idle time-out of 60 s: it must be the one to close, or a
    # request sent at that moment is lost (Application Load Balancers, "HTTP 502: Bad gateway").
    timeout = 75

    def do_GET(self) -> None:
        """Answer GET."""
        path = urlsplit(self.path).path
        if path == "/health":
            self._answer(HTTPStatus.OK, "application/json", json.dumps({"status": "ok"}))
        elif path == "/":
            self._answer(HTTPStatus.OK, "text/plain", f"Hello from {socket.gethostname()}\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "Not found\n")

    def do_HEAD(self) -> None:
        """Answer HEAD as GET, without the body."""
        self.do_GET()

    def _answer(self, status: HTTPStatus, media_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{media_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """An HTTPS server with one thread for each connection."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], certificate: Path, key: Path) -> None:
        super().__init__(address, Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
        # The handshake happens in the connection's thread: a silent client must not stop the
        # one that accepts connections.
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )


def main() -> None:
    """Serve until the process is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="TCP port to listen on")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM file")
    parser.add_argument("--key", type=Path, required=True, help="PEM file")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104
    options = parser.parse_args()
    with Server((options.host, options.port), options.certificate, options.key) as server:
        print(f"listening on port {server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
