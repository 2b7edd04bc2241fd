"""What is known of a part at a stage beside its stack: an object of the account's bucket.

`state/PART/STAGE.json` holds what Chalice noted when it deployed and the releases that can be
rolled back to. The bucket is versioned, encrypted and private, so an earlier state can be looked
up. It is written only over the version that was read, as one deployment runs at a time.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from deploy import artifacts
from deploy.account import Account
from deploy.errors import DeployError
from deploy.releases import Release

SCHEMA_VERSION = 1
_NOT_FOUND = frozenset({"404", "NoSuchBucket", "NoSuchKey"})

Note = Mapping[str, Any]


@dataclass(frozen=True)
class StageState:
    """The state of a part at a stage.

    `app` is Chalice's note, None where it has deployed no app. `current` is the version of the
    release that is deployed, None where none is.
    """

    app: Note | None = None
    releases: tuple[Release, ...] = ()
    current: int | None = None
    etag: str = field(default="", compare=False)


class StateStore:
    """The state of one part and stage in the bucket of the account and region."""

    def __init__(self, account: Account, part: str, stage: str) -> None:
        self._account = account
        self._client = account.client("s3")
        self._object = {
            "Bucket": artifacts.bucket_name(account),
            "Key": f"state/{part}/{stage}.json",
        }

    @property
    def url(self) -> str:
        """Where the state lies."""
        return f"s3://{self._object['Bucket']}/{self._object['Key']}"

    def read(self) -> StageState:
        """Return the state, an empty one where nothing was deployed.

        Raises DeployError: a newer version of this command wrote it.
        """
        try:
            response = self._client.get_object(**self._object)
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOT_FOUND:
                return StageState()
            raise
        document = json.loads(response["Body"].read())
        if document["schema_version"] > SCHEMA_VERSION:
            raise DeployError(
                f"{self.url} was written by a newer version of this command: use that one"
            )
        releases = tuple(Release(**note) for note in document["releases"])
        return StageState(document["app"], releases, document["current"], response["ETag"])

    def delete(self) -> None:
        """Delete the state; the bucket keeps its versions."""
        self._client.delete_object(**self._object)

    def write(self, state: StageState) -> StageState:
        """Write the state over the version it was read from, return it as it is now.

        Raises DeployError: somebody else has written it since.
        """
        document = {
            "schema_version": SCHEMA_VERSION,
            "account": self._account.account_id,
            "region": self._account.region,
            "app": state.app,
            "current": state.current,
            "releases": [asdict(release) for release in state.releases],
        }
        try:
            response = self._client.put_object(
                **self._object,
                Body=(json.dumps(document, indent=2) + "\n").encode(),
                ContentType="application/json",
                ChecksumAlgorithm="SHA256",
                **({"IfMatch": state.etag} if state.etag else {"IfNoneMatch": "*"}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in {"PreconditionFailed", "NoSuchKey"}:
                raise DeployError(
                    f"{self.url} was written by somebody else meanwhile: run this again"
                ) from error
            raise
        return replace(state, etag=response["ETag"])
