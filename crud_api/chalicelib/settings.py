"""What a stage sets, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass


class SettingsError(ValueError):
    """A variable is missing or has a value the app does not know; the message says what to do."""


@dataclass(frozen=True)
class Settings:
    """The settings of a stage.

    `table_name` is the DynamoDB table, `iam_auth` whether callers sign their requests (SigV4), and
    `cors_origin` the origin whose pages may call the API (None: no page of another origin).
    """

    table_name: str
    iam_auth: bool
    cors_origin: str | None


def settings_of(environ: Mapping[str, str]) -> Settings:
    """Read the settings. SettingsError names the variable that is wrong.

    API_AUTH is `iam` unless it is set. CORS_ORIGIN may be `*` only where API_AUTH is `none`.
    """
    auth = environ.get("API_AUTH", "iam")
    if auth not in ("iam", "none"):
        raise SettingsError(f"API_AUTH is {auth!r}; it must be 'iam' or 'none'")
    table_name = environ.get("ITEMS_TABLE", "")
    if not table_name:
        raise SettingsError(
            "ITEMS_TABLE is not set; `python -m deploy crud_api --stage STAGE` records it"
        )
    cors_origin = environ.get("CORS_ORIGIN") or None
    if cors_origin == "*" and auth == "iam":
        raise SettingsError("CORS_ORIGIN is '*'; with API_AUTH 'iam' it must name one origin")
    return Settings(table_name, auth == "iam", cors_origin)
