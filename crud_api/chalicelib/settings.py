"""What a stage sets, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass

from api_access import Access, access_of

DEFAULT_SHARDS = 4
MAX_SHARDS = 128


class SettingsError(ValueError):
    """A variable is missing or has a value the app does not know; the message says what to do."""


@dataclass(frozen=True)
class Settings:
    """The settings of a stage.

    `table_name` is the DynamoDB table, `cursor_secret` the name of the secret in AWS Secrets
    Manager that signs cursors, `list_shards` over how many partitions each list is spread,
    `access` who may call the API, and `api_keys` whether callers bring the API key of a usage plan.
    """

    table_name: str
    cursor_secret: str
    list_shards: int
    access: Access
    api_keys: bool = False


def settings_of(environ: Mapping[str, str]) -> Settings:
    """Read the settings. SettingsError or AccessError names the variable that is wrong.

    API_AUTH is `iam` and LIST_SHARDS is 4 unless they are set.
    """
    api_keys = environ.get("API_KEYS", "none")
    if api_keys not in ("required", "none"):
        raise SettingsError(f"API_KEYS is {api_keys!r}; it must be 'required' or 'none'")
    shards = environ.get("LIST_SHARDS", str(DEFAULT_SHARDS))
    if not shards.isdecimal() or not 1 <= int(shards) <= MAX_SHARDS:
        raise SettingsError(f"LIST_SHARDS is {shards!r}; it must be 1 to {MAX_SHARDS}")
    return Settings(
        table_name=_recorded(environ, "ITEMS_TABLE"),
        cursor_secret=_recorded(environ, "CURSOR_SECRET"),
        list_shards=int(shards),
        access=access_of(environ),
        api_keys=api_keys == "required",
    )


def _recorded(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise SettingsError(
            f"{name} is not set; `python -m deploy crud_api --stage STAGE` records it"
        )
    return value
