"""The two buckets: uploads in one, renditions and manifests in the other."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004  botocore's own, not the built-in one
    HTTPClientError,
    IncompleteReadError,
)

from . import keys
from .formats import MAX_BYTES
from .manifests import Manifest
from .presets import PRESETS
from .refusals import TooLarge
from .renditions import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# How long a rendition's URL works, in seconds. It also ends with the role's credentials.
URL_LIFETIME = 3600

# A request S3 leaves unanswered is given up after three tries, 21 seconds and short pauses: in time
# for an answer of our own before API Gateway's 29.
CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    signature_version="s3v4",
)


class StorageUnavailable(Exception):
    """S3 did not answer, or answered that it cannot now. Worth another try later."""


@dataclass(frozen=True)
class StoredSource:
    """An upload in the source bucket: its media type and its length in bytes."""

    media_type: str
    bytes: int


@dataclass(frozen=True)
class SourcePage:
    """Ids of images, newest first, and the name the next page starts after, if there is one."""

    image_ids: tuple[str, ...]
    next: str | None


class ImageStore:
    """Reads and writes images. Every method raises StorageUnavailable where S3 does not answer."""

    def __init__(self, client: Any, source_bucket: str, destination_bucket: str) -> None:
        self._client = client
        self._source_bucket = source_bucket
        self._destination_bucket = destination_bucket

    def put_source(self, image_id: str, data: bytes, media_type: str) -> None:
        """Store an upload, which starts its processing."""
        with _reporting_outages():
            self._client.put_object(
                Bucket=self._source_bucket,
                Key=keys.source(image_id),
                Body=data,
                ContentType=media_type,
            )

    def get_source(self, image_id: str) -> bytes | None:
        """Return the bytes of an upload; None where it was deleted. Raises TooLarge."""
        with _reporting_outages():
            try:
                answer = self._client.get_object(
                    Bucket=self._source_bucket, Key=keys.source(image_id)
                )
            except ClientError as error:
                if _is_missing(error):
                    return None
                raise
            if answer["ContentLength"] > MAX_BYTES:
                # Whoever may write to the bucket may write 5 TB; memory has to be asked first.
                answer["Body"].close()
                raise TooLarge(
                    f"The image has {answer['ContentLength']:,} bytes; the limit is {MAX_BYTES:,}."
                )
            data: bytes = answer["Body"].read()
            return data

    def find_source(self, image_id: str) -> StoredSource | None:
        """Return what is known of an upload without reading it; None where there is none."""
        with _reporting_outages():
            try:
                answer = self._client.head_object(
                    Bucket=self._source_bucket, Key=keys.source(image_id)
                )
            except ClientError as error:
                if _is_missing(error):
                    return None
                raise
            return StoredSource(answer["ContentType"], answer["ContentLength"])

    def delete_source(self, image_id: str) -> None:
        """Delete an upload; the bucket keeps it as a noncurrent version for a while."""
        with _reporting_outages():
            self._client.delete_object(Bucket=self._source_bucket, Key=keys.source(image_id))

    def list_sources(self, limit: int, after: str | None) -> SourcePage:
        """Return up to `limit` images, those after the name `after` if it is given."""
        start = {} if after is None else {"StartAfter": keys.SOURCES + after}
        with _reporting_outages():
            answer = self._client.list_objects_v2(
                Bucket=self._source_bucket, Prefix=keys.SOURCES, MaxKeys=limit, **start
            )
        listed = [entry["Key"] for entry in answer.get("Contents", ())]
        image_ids = tuple(found for key in listed if (found := keys.image_id(key)))
        more = answer["IsTruncated"] and listed
        return SourcePage(image_ids, listed[-1].removeprefix(keys.SOURCES) if more else None)

    def put_rendition(self, key: str, data: bytes) -> None:
        """Store a rendition."""
        with _reporting_outages():
            self._client.put_object(
                Bucket=self._destination_bucket, Key=key, Body=data, ContentType=MEDIA_TYPE
            )

    def put_manifest(self, image_id: str, manifest: Manifest) -> None:
        """Store the manifest, which makes the renditions it lists visible."""
        with _reporting_outages():
            self._client.put_object(
                Bucket=self._destination_bucket,
                Key=keys.manifest(image_id),
                Body=manifest.to_json(),
                ContentType="application/json",
            )

    def get_manifest(self, image_id: str) -> Manifest | None:
        """Return the manifest; None where the image has not been processed yet."""
        with _reporting_outages():
            try:
                answer = self._client.get_object(
                    Bucket=self._destination_bucket, Key=keys.manifest(image_id)
                )
            except ClientError as error:
                if _is_missing(error):
                    return None
                raise
            return Manifest.from_json(answer["Body"].read())

    def delete_renditions(self, image_id: str, listed: Sequence[str] = ()) -> None:
        """Delete every rendition of today's presets and those `listed` by key, then the manifest.

        Deleting what is not there is no error, so this also finishes a deletion cut short. The
        manifest goes last, because by it such a deletion is found.
        """
        named = {keys.rendition(image_id, preset.name) for preset in PRESETS}
        doomed = sorted({*named, *listed})
        with _reporting_outages():
            answer = self._client.delete_objects(
                Bucket=self._destination_bucket,
                Delete={"Objects": [{"Key": key} for key in doomed], "Quiet": True},
            )
        if answer.get("Errors"):
            raise StorageUnavailable(f"S3 did not delete {answer['Errors']}")
        with _reporting_outages():
            self._client.delete_object(Bucket=self._destination_bucket, Key=keys.manifest(image_id))

    def url(self, key: str) -> str:
        """Return a presigned URL to GET a rendition."""
        url: str = self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._destination_bucket, "Key": key},
            ExpiresIn=URL_LIFETIME,
        )
        return url


def connect(source_bucket: str, destination_bucket: str) -> ImageStore:
    """Return a store over S3 in the region and with the credentials of the environment."""
    return ImageStore(boto3.client("s3", config=CONFIG), source_bucket, destination_bucket)


def _is_missing(error: ClientError) -> bool:
    return bool(error.response["Error"]["Code"] in ("404", "NoSuchKey"))


@contextmanager
def _reporting_outages() -> Iterator[None]:
    """Raise StorageUnavailable for what botocore gives up on after its retries."""
    try:
        yield
    except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise StorageUnavailable(str(error)) from error
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status >= 500 or error.response["Error"]["Code"] == "SlowDown":
            raise StorageUnavailable(str(error)) from error
        raise
