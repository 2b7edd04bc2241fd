"""TLS in front of a PostgreSQL server that has none, at an address that stays.

It takes the first step of the protocol, in which a client asks for encryption, answers as a server
that demands it, and passes everything else on. PostgreSQL documentation, "Message Flow", "SSL
Session Encryption": https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-SSL.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

from sandbox import background, certificates

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sandbox.postgresql import Server

_CANCEL, _TLS, _GSS = 80877102, 80877103, 80877104
_CHUNK = 65536
# PostgreSQL's own words where pg_hba.conf has only `hostssl` lines, as with rds.force_ssl.
_REFUSAL = b"SFATAL\0VFATAL\0C28000\0Mno pg_hba.conf entry for this host, no encryption\0\0"


class TlsFront:
    """Listens on a port of the loopback address for one server; while that is down, hangs up."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sessions: set[asyncio.Task[None]] = set()
        self._listening = background.run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = int(self._listening.sockets[0].getsockname()[1])

    def hang_up(self) -> None:
        """End every connection, as when the server's machine is lost."""
        background.run(self._end_sessions())

    def close(self) -> None:
        """End every connection and stop listening."""
        background.run(self._close())

    async def _close(self) -> None:
        self._listening.close()
        await self._end_sessions()

    async def _end_sessions(self) -> None:
        for session in list(self._sessions):
            session.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.ensure_future(self._session(reader, writer))
        self._sessions.add(session)
        try:
            await session
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # Whoever hung up, the other side is told by hanging up.
        finally:
            self._sessions.discard(session)
            writer.transport.abort()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            start = await reader.readexactly(8)
            _, code = struct.unpack("!ii", start)
            if code == _GSS:
                writer.write(b"N")
            elif code == _TLS:
                writer.write(b"S")
                await writer.drain()
                await writer.start_tls(certificates.server_context())
                start = b""
                break
            elif code == _CANCEL:
                break
            else:
                writer.write(b"E" + struct.pack("!i", len(_REFUSAL) + 4) + _REFUSAL)
                await writer.drain()
                return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        try:
            server_writer.write(start)
            await _first_of(_pass_on(reader, server_writer), _pass_on(server_reader, writer))
        finally:
            server_writer.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()


async def _first_of(*directions: Coroutine[Any, Any, None]) -> None:
    """Run both directions until one ends, then end the other."""
    tasks = [asyncio.ensure_future(direction) for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
