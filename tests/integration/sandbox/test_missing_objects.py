from __future__ import annotations

import json

import pytest

READ = """
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    try:
        getattr(boto3.client("s3"), event["operation"])(Bucket=event["bucket"], Key=event["key"])
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    return 200
"""


@pytest.mark.parametrize("lists", [True, False])
def test_who_may_not_list_a_bucket_is_not_told_what_is_missing(aws, unique, create_function, lists):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=unique)
    s3.put_object(Bucket=unique, Key="there", Body=b"")
    read = {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{unique}/*"}
    listing = {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{unique}"}
    arn = create_function(
        READ,
        allowed=[{"Effect": "Allow", **one} for one in ([read, listing] if lists else [read])],
        Timeout=30,
    )

    def status(operation, key):
        event = {"operation": operation, "bucket": unique, "key": key}
        answer = aws.client("lambda").invoke(FunctionName=arn, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    for operation in ("get_object", "head_object"):
        assert status(operation, "there") == 200
        assert status(operation, "missing") == (404 if lists else 403)
