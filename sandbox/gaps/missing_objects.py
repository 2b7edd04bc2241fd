"""Who may learn that an object does not exist.

AWS: GetObject and HeadObject of a key that is not there answer 404 to who may list the bucket, and
403 to everybody else. Source: Amazon S3 API reference, "GetObject" and "HeadObject", Permissions,
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html.

MiniStack 1.5.33: answers 404 to whoever may read the object.

The filler: IAM is asked for s3:ListBucket on the bucket before a 404 goes out.
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.core.router import extract_access_key_id
from ministack.services import s3

_get_object = s3._get_object
_head_object = s3._head_object


def install() -> None:
    """Take over the two operations."""
    s3._get_object = get_object
    s3._head_object = head_object


def get_object(
    bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None
) -> Any:
    """GetObject."""
    return hidden(bucket, headers, query, _get_object(bucket, key, headers, query))


def head_object(
    bucket: str,
    key: str,
    headers: dict[str, str] | None = None,
    query: dict[str, Any] | None = None,
) -> Any:
    """HeadObject."""
    return hidden(bucket, headers, query, _head_object(bucket, key, headers, query))


def hidden(
    bucket: str, headers: dict[str, str] | None, query: dict[str, Any] | None, answer: Any
) -> Any:
    """Return the answer, or 403 in the place of a 404 that the caller may not see."""
    access_key = extract_access_key_id(headers or {}, query or {})
    # Without a key it is the emulator itself that reads.
    if answer[0] != 404 or not access_key:
        return answer
    denied = iam_evaluator.enforce(
        access_key, "s3:ListBucket", "s3", get_region(), resource_arn=f"arn:aws:s3:::{bucket}"
    )
    return answer if denied is None else s3._error("AccessDenied", "Access Denied", 403)
