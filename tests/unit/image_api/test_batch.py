from __future__ import annotations

from typing import Any

import pytest

from image_api.chalicelib import batch

# As in "Invoke AWS Lambda function", Amazon S3 User Guide.
FIRST = {
    "invocationSchemaVersion": "1.0",
    "invocationId": "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo",
    "job": {"id": "f3cc4f60-61f6-4a2b-8a21-d07600c373ce"},
    "tasks": [
        {
            "taskId": "dGFza2lkZ29lc2hlcmUK",
            "s3Key": "caf%C3%A9+%2B.jpg",
            "s3VersionId": "1",
            "s3BucketArn": "arn:aws:s3:::amzn-s3-demo-bucket1",
        }
    ],
}
SECOND = {
    "invocationSchemaVersion": "2.0",
    "invocationId": "CSURyU",
    "job": {"id": "f3cc4f60", "userArguments": {"dry_run": "true"}},
    "tasks": [{"taskId": "t", "s3Key": "a", "s3VersionId": None, "s3Bucket": "bucket2"}],
}


def test_both_schemas_are_read():
    first, second = batch.invocation(FIRST), batch.invocation(SECOND)
    # Keys are percent-encoded here, without the "+" of forms.
    assert first.tasks == (
        batch.Task("dGFza2lkZ29lc2hlcmUK", "amzn-s3-demo-bucket1", "café++.jpg"),
    )
    assert not first.dry_run
    assert second.tasks == (batch.Task("t", "bucket2", "a"),)
    assert second.dry_run


def test_the_answer_is_in_the_schema_of_the_question():
    read = batch.invocation(FIRST)
    result = batch.Result(read.tasks[0].task_id, "Succeeded", "ready")
    assert batch.answer(read, (result,)) == {
        "invocationSchemaVersion": "1.0",
        "treatMissingKeysAs": "PermanentFailure",
        "invocationId": FIRST["invocationId"],
        "results": [
            {
                "taskId": "dGFza2lkZ29lc2hlcmUK",
                "resultCode": "Succeeded",
                "resultString": "ready",
            }
        ],
    }


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"Records": []},
        FIRST | {"tasks": [{}]},
        FIRST | {"tasks": None},
        FIRST | {"job": None},
        FIRST | {"invocationSchemaVersion": "3.0"},
        SECOND | {"job": {"userArguments": {"dry_run": "yes"}}},
        SECOND | {"job": {"userArguments": {"dryrun": "true"}}},
    ],
)
def test_what_is_no_job_is_refused(event: Any):
    with pytest.raises(batch.MalformedInvocation):
        batch.invocation(event)
