"""The errors a deployment can end in, each one line for the person who reads it.

DeployError               exit 1    the account, the template or Chalice said no
├─ StackError                       a stack operation failed: resource and reason first
├─ ChaliceError                     the chalice command ended with an error
├─ SettingsError                    a file or a setting of the part is wrong
├─ PackageError                     what would be shipped is not fit to be
└─ DeployInterruptedError exit 130  Ctrl-C, while something goes on without this command
"""

from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
# Codes of "Common Errors" in the AWS CloudFormation API Reference and of AWS STS.
_BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


class DeployError(Exception):
    """The deployment cannot go on; the text is one line that names the thing and the fix."""

    exit_code = 1

    def __init__(self, message: str, details: "Sequence[str]" = ()) -> None:
        super().__init__(message)
        self.details = tuple(details)


class SettingsError(DeployError):
    """A file or a setting of the part is wrong."""


class PackageError(DeployError):
    """A package has what is not pinned, does not run on Lambda, or may not be shipped."""


class DeployInterruptedError(DeployError):
    """Ctrl-C, while something goes on without this command."""

    exit_code = 130


class StackError(DeployError):
    """A stack operation failed. `details` are the further failures, one line each."""


class ChaliceError(DeployError):
    """The chalice command ended with an error. `details` are its last lines."""


def explain(error: BotoCoreError | ClientError) -> str:
    """Return one line for what boto3 raised: what is wrong and what to do about it."""
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return (
                "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                'AWS_SECRET_ACCESS_KEY (for the sandbox: eval "$(python -m sandbox env)")'
            )
        case NoRegionError():
            return "no AWS region: set AWS_DEFAULT_REGION, or `region` in the profile"
        case ProfileNotFound():
            return f"no AWS profile named {error.kwargs['profile']}: add it to ~/.aws/config"
        case EndpointConnectionError() | ConnectTimeoutError() | ReadTimeoutError():
            return (
                f"no answer from {error.kwargs['endpoint_url']}: "
                "check the network and AWS_ENDPOINT_URL (is the sandbox up?)"
            )
        case ClientError():
            return _explain_response(error)
        case _:
            return _one_line(str(error))


def _explain_response(error: ClientError) -> str:
    code = error.response["Error"]["Code"]
    message = _one_line(error.response["Error"].get("Message", ""))
    operation = error.operation_name
    if code in _DENIED:
        return f"access denied to {operation}: {message}"
    if code in _BAD_CREDENTIALS:
        return f"the AWS credentials are not accepted ({code}): {message}"
    return f"{operation}: {code}: {message}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
