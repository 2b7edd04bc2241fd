"""The stage's settings, from the environment variables of `.chalice/config.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from api_access import Access, access_of

from .formats import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_MAX_UPLOAD_BYTES = 50_000_000
MIB = 2**20
# What the function `process` has in .chalice/config.json.
DEFAULT_PROCESS_MEMORY = 1769 * MIB
# What Lambda has at the most ("Lambda quotas", AWS Lambda Developer Guide), in MB.
MAX_MEMORY_MB = 10_240


class SettingsError(ValueError):
    """A variable is missing or has a value that cannot work; the message names it and the fix."""


@dataclass(frozen=True)
class Settings:
    """What differs from stage to stage.

    `access` says who may call the API. `max_upload_bytes` is
    the size of the largest upload. `cdn_base_url` is the URL below which a CDN serves the
    destination bucket, without a slash at its end, or "" for presigned URLs.

    `process_memory` is what the function `process` has, by which uploads are admitted, and
    `function_memory` what this function has; both in bytes.
    """

    source_bucket: str
    destination_bucket: str
    access: Access
    max_upload_bytes: int = DEFAULT_MAX_UPLOAD_BYTES
    cdn_base_url: str = ""
    process_memory: int = DEFAULT_PROCESS_MEMORY
    function_memory: int = DEFAULT_PROCESS_MEMORY

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read and check the settings. Raises SettingsError, and AccessError."""
        process_memory = _memory(environ, "PROCESS_MEMORY_MB", DEFAULT_PROCESS_MEMORY)
        settings = cls(
            source_bucket=_required(environ, "SOURCE_BUCKET"),
            destination_bucket=_required(environ, "DESTINATION_BUCKET"),
            access=access_of(environ),
            max_upload_bytes=_max_upload_bytes(environ.get("MAX_UPLOAD_BYTES", "")),
            cdn_base_url=_cdn_base_url(environ.get("CDN_BASE_URL", "")),
            process_memory=process_memory,
            # Lambda sets it in every function; outside there is none.
            function_memory=_memory(environ, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", process_memory),
        )
        if settings.source_bucket == settings.destination_bucket:
            raise SettingsError(
                f"SOURCE_BUCKET and DESTINATION_BUCKET are both {settings.source_bucket}: every "
                "rendition would be processed again, without end. Use two buckets."
            )
        return settings


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise SettingsError(
            f"{name} is not set; `python -m deploy image_api --stage STAGE` records it "
            "in .chalice/config.json."
        )
    return value


def _max_upload_bytes(text: str) -> int:
    if not text:
        return DEFAULT_MAX_UPLOAD_BYTES
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_BYTES))
    if not digits or not 1 <= int(text) <= MAX_BYTES:
        raise SettingsError(
            f"MAX_UPLOAD_BYTES is {text[:32]!r}; it must be a whole number from 1 to "
            f"{MAX_BYTES}, which is what is decoded."
        )
    return int(text)


def _memory(environ: Mapping[str, str], name: str, default: int) -> int:
    """Return the bytes of a variable in MB (2^20 bytes, as Lambda counts them)."""
    text = environ.get(name, "")
    if not text:
        return default
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_MEMORY_MB))
    if not digits or not 1 <= int(text) <= MAX_MEMORY_MB:
        raise SettingsError(
            f"{name} is {text[:32]!r}; it must be a whole number from 1 to {MAX_MEMORY_MB}, the "
            "lambda_memory_size of process in .chalice/config.json."
        )
    return int(text) * MIB


def _cdn_base_url(text: str) -> str:
    url = urlsplit(text)
    wrong = url.scheme != "https" or not url.netloc or url.query or url.fragment
    if text and (wrong or not text.isascii() or not text.isprintable() or " " in text):
        raise SettingsError(
            f"CDN_BASE_URL is {text[:200]!r}; it must be an https URL without a query, such as "
            "https://images.example.com."
        )
    return text.rstrip("/")
