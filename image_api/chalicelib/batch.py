"""S3 Batch Operations: tasks in, results out, as plain values.

Structure: Amazon S3 User Guide, "Invoke AWS Lambda function" (Batch Operations), invocation schemas
1.0 and 2.0. Schema 2.0 has the job's user arguments and the bucket's name, 1.0 the bucket's ARN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

ResultCode = Literal["Succeeded", "TemporaryFailure", "PermanentFailure"]

SCHEMAS = ("1.0", "2.0")


class MalformedInvocation(ValueError):
    """The event is not one of S3 Batch Operations; the message says what is wrong."""


@dataclass(frozen=True)
class Task:
    """One object of a job: its bucket, and its key decoded."""

    task_id: str
    bucket: str
    key: str


@dataclass(frozen=True)
class Invocation:
    """What Batch Operations asks for. With `dry_run` nothing may be changed."""

    schema: str
    invocation_id: str
    dry_run: bool
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Result:
    """What came of a task; `text` ends in the job's completion report."""

    task_id: str
    code: ResultCode
    text: str


def invocation(event: Any) -> Invocation:
    """Read the event of an invocation. Raises MalformedInvocation."""
    try:
        schema = event["invocationSchemaVersion"]
        arguments = event["job"].get("userArguments") or {}
        dry_run = arguments.get("dry_run", "false")
        tasks = tuple(_task(task) for task in event["tasks"])
        read = Invocation(schema, event["invocationId"], dry_run == "true", tasks)
    except (AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise MalformedInvocation(f"no event of S3 Batch Operations: {error!r}") from error
    if schema not in SCHEMAS:
        raise MalformedInvocation(f"invocation schema {schema!r}; known are {', '.join(SCHEMAS)}")
    if dry_run not in ("true", "false") or arguments.keys() - {"dry_run"}:
        # A dry run that was misspelt must not become a real one.
        raise MalformedInvocation('the one user argument is dry_run, "true" or "false"')
    return read


def answer(read: Invocation, results: tuple[Result, ...]) -> dict[str, Any]:
    """Return the function's answer. Keys that have no result count as failed for good."""
    return {
        "invocationSchemaVersion": read.schema,
        "treatMissingKeysAs": "PermanentFailure",
        "invocationId": read.invocation_id,
        "results": [
            {"taskId": result.task_id, "resultCode": result.code, "resultString": result.text}
            for result in results
        ],
    }


def _task(task: Any) -> Task:
    bucket = task.get("s3Bucket") or task["s3BucketArn"].rsplit(":", 1)[-1]
    return Task(task["taskId"], bucket, unquote(task["s3Key"], errors="strict"))
