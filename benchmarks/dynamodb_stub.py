"""A process that answers GetItem with one item and every write with success, over loopback.

What it costs is its own: the benchmarks count the processor time of the client. It speaks just
enough HTTP/1.1 for botocore, and keeps connections open as DynamoDB does.
"""

from __future__ import annotations

import asyncio
import json
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection; requests come one after another."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to answer on."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is complete."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        fields = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        if len(body) < int(fields.get(b"content-length", b"0")):
            return
        self._received = b""
        operation = fields.get(b"x-amz-target", b"").rpartition(b".")[2]
        content = self._answers.get(operation, b"{}")
        if isinstance(self._transport, asyncio.Transport):
            self._transport.write(HEAD % len(content) + content)


async def serve(record: object) -> None:
    """Serve until the process is ended; the first line printed is the port."""
    answers = {b"GetItem": json.dumps({"Item": record}).encode()}
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(answers), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
