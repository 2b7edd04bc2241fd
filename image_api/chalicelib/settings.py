"""The stage's settings, from the environment variables of `.chalice/config.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTHORISATIONS = ("iam", "none")


class SettingsError(ValueError):
    """A variable is missing or has a value that cannot work; the message names it and the fix."""


@dataclass(frozen=True)
class Settings:
    """What differs from stage to stage.

    `api_auth` is "iam" (requests signed with Signature Version 4) or "none" (open). `cors_origin`
    is the origin whose pages may call the API, "*" for all, or "" for none.
    """

    source_bucket: str
    destination_bucket: str
    api_auth: str
    cors_origin: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read and check the settings. Raises SettingsError."""
        settings = cls(
            source_bucket=_required(environ, "SOURCE_BUCKET"),
            destination_bucket=_required(environ, "DESTINATION_BUCKET"),
            api_auth=environ.get("API_AUTH", "iam"),
            cors_origin=environ.get("CORS_ORIGIN", ""),
        )
        if settings.source_bucket == settings.destination_bucket:
            raise SettingsError(
                f"SOURCE_BUCKET and DESTINATION_BUCKET are both {settings.source_bucket}: every "
                "rendition would be processed again, without end. Use two buckets."
            )
        if settings.api_auth not in AUTHORISATIONS:
            raise SettingsError(f"API_AUTH is {settings.api_auth!r}; it must be iam or none.")
        if settings.cors_origin == "*" and settings.api_auth != "none":
            raise SettingsError(
                "CORS_ORIGIN is *, which is for open stages. Name the origin that calls the API."
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
