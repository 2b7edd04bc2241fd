"""The account and region that credentials lead to."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import NoRegionError

from deploy.errors import SettingsError

# Looking at a stack for half an hour meets throttling now and then.
_PATIENT = Config(retries={"mode": "standard", "max_attempts": 8}, connect_timeout=5)
# The first call finds out whether anything answers at all: no point in trying for long.
_BRIEF = Config(retries={"mode": "standard", "max_attempts": 2}, connect_timeout=5)


@dataclass(frozen=True)
class Place:
    """The account and region that a stage names in stages.toml, each None where it names none.

    `setting` is the name of the account's setting there.
    """

    account_id: str | None = None
    region: str | None = None
    setting: str = "account"


@dataclass(frozen=True)
class Account:
    """An AWS account and region. `endpoint` is where its API answers, None for AWS's own."""

    session: boto3.Session
    account_id: str
    region: str
    endpoint: str | None

    @classmethod
    def of(cls, profile: str | None = None) -> "Account":
        """Return what the profile, or boto3's default credentials, lead to.

        Raises BotoCoreError or ClientError: no credentials or region, no answer, not accepted.
        """
        session = boto3.Session(profile_name=profile)
        # botocore takes a variable that is set to nothing for a region named "".
        if not session.region_name:
            raise NoRegionError
        client = session.client("sts", config=_BRIEF)
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        on_aws = host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
        return cls(
            session,
            client.get_caller_identity()["Account"],
            session.region_name,
            None if on_aws else client.meta.endpoint_url,
        )

    def refuse_unless_at(self, place: Place) -> None:
        """Raise SettingsError where the stage names another account or region than this one."""
        for found, named, setting in (
            (self.account_id, place.account_id, place.setting),
            (self.region, place.region, "region"),
        ):
            if named is not None and found != named:
                raise SettingsError(
                    f"the credentials lead to {self}, but the stage's {setting} in stages.toml is "
                    f"{named}: use the profile and region of that one; nothing was touched"
                )

    def client(self, service: str) -> Any:
        """Return boto3's client of the service."""
        return self.session.client(service, config=_PATIENT)

    def __str__(self) -> str:
        where = f"account {self.account_id}, {self.region}"
        return f"{where}, {self.endpoint}" if self.endpoint else where
