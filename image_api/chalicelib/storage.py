"""The two buckets: uploads in one, renditions and manifests in the other."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004  botocore's own, not the built-in one
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)

from . import keys
from .manifests import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# How long a rendition's URL works, in seconds. It also ends with the role's credentials.
URL_LIFETIME = 3600
# How long a presigned upload may be begun, in seconds.
UPLOAD_LIFETIME = 900
# A rendition's key has a digest of its bytes, so what is cached under it is right for ever.
IMMUTABLE = "public, max-age=31536000, immutable"
# A presigned URL is for the one who asked for it, and so is what a cache keeps of it.
PRIVATE = f"private, max-age={URL_LIFETIME}, immutable"

# A request S3 leaves unanswered is given up after three tries, 21 seconds and short pauses: in time
# for an answer of our own before API Gateway's 29.
ATTEMPTS = 3
CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    signature_version="s3v4",
)

# The most keys one DeleteObjects takes (Amazon S3 API Reference, DeleteObjects).
_DELETED_AT_ONCE = 1000
# Amazon S3 API Reference, "Error responses": a condition that does not hold, a conflicting write
# at the same time, and If-Match where there is no object any more.
_CONDITION_ERRORS = frozenset(
    {"412", "ConditionalRequestConflict", "NoSuchKey", "PreconditionFailed"}
)


class StorageUnavailable(Exception):
    """S3 did not answer, or answered that it cannot now. Worth another try later."""


@dataclass(frozen=True)
class StoredSource:
    """An upload in the source bucket: its media type and length in bytes as S3 has them.

    `version` differs from that of every other upload of the image; `etag` stands for the bytes.
    `uploaded` is when, in seconds since 1970.
    """

    media_type: str
    bytes: int
    version: str
    etag: str
    uploaded: float


@dataclass(frozen=True)
class StoredManifest:
    """A manifest in the destination bucket; `etag` is what a write that replaces it names."""

    manifest: Manifest
    etag: str


@dataclass(frozen=True)
class SourcePage:
    """Ids of images, newest first, and the name the next page starts after, if there is one."""

    image_ids: tuple[str, ...]
    next: str | None


@dataclass(frozen=True)
class PresignedPost:
    """A form that uploads one file to S3: POST `fields` and then the file to `url`.

    It works until `expires_at` (UTC).
    """

    url: str
    fields: dict[str, str]
    expires_at: datetime


class ImageStore:
    """Reads and writes images. Every method raises StorageUnavailable where S3 does not answer.

    `cdn_base_url` is the URL below which a CDN serves the destination bucket, "" for none.
    Raises ValueError where the two buckets are one: every rendition would be processed again.
    """

    def __init__(
        self, client: Any, source_bucket: str, destination_bucket: str, cdn_base_url: str = ""
    ) -> None:
        if source_bucket == destination_bucket:
            raise ValueError(f"uploads and renditions need two buckets, not {source_bucket} twice")
        self.source_bucket = source_bucket
        self._client = client
        self._destination_bucket = destination_bucket
        self._cdn_base_url = cdn_base_url

    def put_source(self, image_id: str, data: bytes, media_type: str) -> None:
        """Store an upload, which starts its processing."""
        with _reporting_outages():
            self._client.put_object(
                Bucket=self.source_bucket,
                Key=keys.source(image_id),
                Body=data,
                ContentType=media_type,
            )

    def presign_upload(self, image_id: str, media_type: str, max_bytes: int) -> PresignedPost:
        """Return a form for an upload of up to `max_bytes` bytes.

        S3 takes it with this key and media type only ("POST policy", Amazon S3 API Reference). An
        empty file passes, to be rejected like any other that is no image.
        """
        expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=UPLOAD_LIFETIME)
        post = self._client.generate_presigned_post(
            Bucket=self.source_bucket,
            Key=keys.source(image_id),
            Fields={"Content-Type": media_type},
            Conditions=[{"Content-Type": media_type}, ["content-length-range", 0, max_bytes]],
            ExpiresIn=UPLOAD_LIFETIME,
        )
        return PresignedPost(post["url"], post["fields"], expires_at)

    def find_source(self, image_id: str) -> StoredSource | None:
        """Return what is known of an upload without reading it; None where there is none."""
        with _reporting_outages():
            try:
                answer = self._client.head_object(
                    Bucket=self.source_bucket, Key=keys.source(image_id)
                )
            except ClientError as error:
                if _is_missing(error):
                    return None
                raise
        version = answer.get("VersionId", "null")
        return StoredSource(
            answer["ContentType"],
            answer["ContentLength"],
            # Objects written before a bucket had versions share the id "null".
            answer["ETag"] if version == "null" else version,
            answer["ETag"],
            answer["LastModified"].timestamp(),
        )

    def read_source(self, image_id: str, etag: str) -> bytes | None:
        """Return the bytes of an upload; None where it was deleted or replaced by other bytes."""
        for attempt in range(ATTEMPTS):
            with _reporting_outages():
                try:
                    answer = self._client.get_object(
                        Bucket=self.source_bucket, Key=keys.source(image_id), IfMatch=etag
                    )
                    data: bytes = answer["Body"].read()
                except ClientError as error:
                    if _is_missing(error) or _is_condition(error):
                        return None
                    raise
                except (IncompleteReadError, ResponseStreamingError):
                    # botocore tries requests again, not the bodies of their answers.
                    if attempt + 1 == ATTEMPTS:
                        raise
                    continue
            return data
        raise AssertionError("unreachable")

    def delete_source(self, image_id: str) -> None:
        """Delete an upload; the bucket keeps it as a noncurrent version for a while."""
        with _reporting_outages():
            self._client.delete_object(Bucket=self.source_bucket, Key=keys.source(image_id))

    def list_sources(self, limit: int, after: str | None) -> SourcePage:
        """Return up to `limit` images, those after the name `after` if it is given."""
        start = {} if after is None else {"StartAfter": keys.SOURCES + after}
        with _reporting_outages():
            answer = self._client.list_objects_v2(
                Bucket=self.source_bucket, Prefix=keys.SOURCES, MaxKeys=limit, **start
            )
        listed = [entry["Key"] for entry in answer.get("Contents", ())]
        image_ids = tuple(found for key in listed if (found := keys.image_id(key)))
        more = answer["IsTruncated"] and listed
        return SourcePage(image_ids, listed[-1].removeprefix(keys.SOURCES) if more else None)

    def put_rendition(self, key: str, data: bytes, media_type: str) -> None:
        """Store a rendition."""
        with _reporting_outages():
            self._client.put_object(
                Bucket=self._destination_bucket,
                Key=key,
                Body=data,
                ContentType=media_type,
                CacheControl=IMMUTABLE,
            )

    def list_renditions(self, image_id: str) -> list[str]:
        """Return the keys of all renditions of an image, listed in a manifest or not."""
        with _reporting_outages():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._destination_bucket, Prefix=keys.renditions(image_id)
            )
            return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def delete_renditions(self, doomed: Sequence[str]) -> None:
        """Delete renditions by their keys; one that is gone already is no error."""
        for start in range(0, len(doomed), _DELETED_AT_ONCE):
            objects = [{"Key": key} for key in doomed[start : start + _DELETED_AT_ONCE]]
            with _reporting_outages():
                answer = self._client.delete_objects(
                    Bucket=self._destination_bucket, Delete={"Objects": objects, "Quiet": True}
                )
            if answer.get("Errors"):
                raise StorageUnavailable(f"S3 did not delete {answer['Errors']}")

    def get_manifest(self, image_id: str) -> StoredManifest | None:
        """Return the manifest; None where the image has not been processed yet."""
        with _reporting_outages():
            try:
                answer = self._client.get_object(
                    Bucket=self._destination_bucket, Key=keys.manifest(image_id)
                )
                data = answer["Body"].read()
            except ClientError as error:
                if _is_missing(error):
                    return None
                raise
        return StoredManifest(Manifest.from_json(data), answer["ETag"])

    def put_manifest(
        self, image_id: str, manifest: Manifest, replacing: StoredManifest | None
    ) -> StoredManifest | None:
        """Store the manifest, which makes the renditions it lists visible, and return it.

        It is written only where the manifest is still `replacing` (None: where there is none).
        Returns None where it is not, which can also be because an answer of S3 got lost after
        this very write, and botocore tried again.
        """
        condition = {"IfNoneMatch": "*"} if replacing is None else {"IfMatch": replacing.etag}
        with _reporting_outages():
            try:
                answer = self._client.put_object(
                    Bucket=self._destination_bucket,
                    Key=keys.manifest(image_id),
                    Body=manifest.to_json(),
                    ContentType="application/json",
                    CacheControl="no-store",
                    **condition,
                )
            except ClientError as error:
                if _is_condition(error):
                    return None
                raise
        return StoredManifest(manifest, answer["ETag"])

    def delete_manifest(self, image_id: str, stored: StoredManifest) -> None:
        """Delete the manifest, unless another one has replaced it."""
        with _reporting_outages():
            try:
                self._client.delete_object(
                    Bucket=self._destination_bucket,
                    Key=keys.manifest(image_id),
                    IfMatch=stored.etag,
                )
            except ClientError as error:
                if not _is_condition(error):
                    raise

    def url(self, key: str, media_type: str) -> str:
        """Return the URL of a rendition: the CDN's, or a presigned one to GET it."""
        if self._cdn_base_url:
            return f"{self._cdn_base_url}/{key}"
        url: str = self._client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._destination_bucket,
                "Key": key,
                "ResponseCacheControl": PRIVATE,
                "ResponseContentType": media_type,
            },
            ExpiresIn=URL_LIFETIME,
        )
        return url


def connect(source_bucket: str, destination_bucket: str, cdn_base_url: str = "") -> ImageStore:
    """Return a store over S3 in the region and with the credentials of the environment."""
    client = boto3.client("s3", config=CONFIG)
    return ImageStore(client, source_bucket, destination_bucket, cdn_base_url)


def _is_missing(error: ClientError) -> bool:
    return bool(error.response["Error"]["Code"] in ("404", "NoSuchKey"))


def _is_condition(error: ClientError) -> bool:
    return bool(error.response["Error"]["Code"] in _CONDITION_ERRORS)


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
