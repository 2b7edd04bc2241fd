import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from deploy.errors import explain


def answer(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateChangeSet")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NoCredentialsError(), "no AWS credentials: set AWS_PROFILE"),
        (NoRegionError(), "no AWS region: set AWS_DEFAULT_REGION"),
        (ProfileNotFound(profile="monitoring"), "no AWS profile named monitoring"),
        (
            EndpointConnectionError(endpoint_url="http://127.0.0.1:4566"),
            "no answer from http://127.0.0.1:4566",
        ),
        (answer("AccessDenied", "no"), "access denied to CreateChangeSet: no"),
        (
            answer("ExpiredToken", "too old"),
            "the AWS credentials are not accepted (ExpiredToken): too old",
        ),
        (answer("LimitExceeded", "two\n lines"), "CreateChangeSet: LimitExceeded: two lines"),
        (BotoCoreError(), "An unspecified error occurred"),
    ],
)
def test_an_error_is_one_line_with_the_fix(error: BotoCoreError | ClientError, text: str) -> None:
    explained = explain(error)

    assert explained.startswith(text)
    assert "\n" not in explained
