"""Keeps other sites away from the console.

A page of any site can send requests to a port of this machine. Three things it cannot do: name
this host in `Host` (its own name may resolve to 127.0.0.1: DNS rebinding), send this origin in
`Origin`, or send JSON without asking first (CORS preflight, which the console never answers).
Sources: Fetch standard, https://fetch.spec.whatwg.org/#cors-safelisted-request-header, and OWASP,
"Cross-Site Request Forgery Prevention Cheat Sheet".
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sandbox.origins import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping


# A header that no form and no request without a preflight can have.
INTENT_HEADER = "x-sandbox-console"


def refusal(method: str, headers: Mapping[str, str]) -> str | None:
    """Why a request to the console is refused; None where it is not. Header names in lower case."""
    host = headers.get("host", "")
    if urlsplit(f"//{host}").hostname not in LOOPBACK:
        return f"The console answers to {' and '.join(LOOPBACK)} only, not to {host[:200]!r}."
    if method in ("GET", "HEAD"):
        return None
    if headers.get("origin") != f"http://{host}":
        return "Only the console's own page may change something here."
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return "Only the console's own page may change something here."
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return "The body must be sent as application/json."
    if headers.get(INTENT_HEADER) != "1":
        return f"The header {INTENT_HEADER}: 1 is missing."
    return None
