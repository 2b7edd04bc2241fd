"""The sandbox's own certificate authority, in memory, for servers on this machine."""

from __future__ import annotations

import functools
import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("localhost", "127.0.0.1")


@functools.cache
def _authority() -> trustme.CA:
    return trustme.CA(organization_name="AWS sandbox")


@functools.cache
def server_context() -> ssl.SSLContext:
    """What a TLS server of this process needs; its certificate is for NAMES."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert(*NAMES).configure_cert(context)
    return context


def write_authority(path: Path) -> Path:
    """Write the authority's certificate as PEM, for clients to verify servers with."""
    _authority().cert_pem.write_to_path(str(path))
    return path


def write_server(certificate: Path, key: Path) -> None:
    """Write a new certificate for NAMES and its key as PEM, for a server of another process."""
    issued = _authority().issue_cert(*NAMES)
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    key.chmod(0o600)
