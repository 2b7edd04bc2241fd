"""What keeps other sites out of the pages: response headers, and a look at each form post's origin.

There is no cookie and no token: browsers say where a request comes from. Every current one sends
Sec-Fetch-Site (W3C "Fetch Metadata Request Headers") over HTTPS and on localhost; where it is
missing, Origin has to name this host. A client that sends neither is no browser, so nobody's
browser is being misused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
YEAR = 365 * 24 * 3600


def is_cross_site(request: Request) -> bool:
    """Whether a page of another site made the browser send this request that may change data."""
    if request.method in SAFE_METHODS:
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    # Without the port: the load balancer passes on its own.
    return urlsplit(origin).hostname != urlsplit(f"//{request.host}").hostname


def harden(request: Request, response: Response) -> None:
    """Add the headers; to an answer that went over HTTPS also that it must stay so."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.headers.get("X-Forwarded-Proto") == "https":
        response.headers["Strict-Transport-Security"] = f"max-age={YEAR}"
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
