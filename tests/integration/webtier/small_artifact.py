"""The smallest artifact that an instance can run: it answers every request."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import EmbeddedAws

BUCKET = "artifacts-of-tests"
_START = b"""#!/usr/bin/env python3
import http.server, os, ssl

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["INSTANCE_ID"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

server = http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.environ["TLS_CERTIFICATE"], os.environ["TLS_KEY"])
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"""


def pack(start: bytes = _START) -> bytes:
    """A gzipped tar with that `start`."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        entry = tarfile.TarInfo("start")
        entry.size, entry.mode = len(start), 0o755
        archive.addfile(entry, io.BytesIO(start))
    return packed.getvalue()


def parameters(content: bytes) -> dict[str, str]:
    """What names that artifact to a stack."""
    digest = hashlib.sha256(content).hexdigest()
    return {"ArtifactBucket": BUCKET, "ArtifactKey": digest, "ArtifactSha256": digest}


PARAMETERS = parameters(pack())


def put(aws: EmbeddedAws, content: bytes | None = None) -> dict[str, str]:
    """Put an artifact, by default the smallest, into the bucket; the parameters that name it."""
    content = pack() if content is None else content
    named = parameters(content)
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=named["ArtifactKey"], Body=content)
    return named
