from __future__ import annotations

import json

import boto3
import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def assume(aws, unique):
    """Gives a client, by default of CloudWatch, with the rights of one statement."""
    iam, count = aws.client("iam"), 0

    def client(action, resource, service="cloudwatch"):
        nonlocal count
        count += 1
        name = f"role-{unique}-{count}"
        trust = {
            "Effect": "Allow",
            "Principal": {"AWS": "111111111111"},
            "Action": "sts:AssumeRole",
        }
        own = {"Effect": "Allow", "Action": action, "Resource": resource}
        role = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )["Role"]
        iam.put_role_policy(
            RoleName=name,
            PolicyName="own",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [own]}),
        )
        session = aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="test")
        credentials = session["Credentials"]
        return boto3.client(
            service,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )

    return client


def test_a_search_for_alarms_needs_the_right_on_all_alarms(assume):
    everything = assume(
        "cloudwatch:DescribeAlarms", "arn:aws:cloudwatch:us-east-1:111111111111:alarm:*"
    )
    assert everything.describe_alarms(AlarmNames=["none"])["MetricAlarms"] == []
    one = assume(
        "cloudwatch:DescribeAlarms", "arn:aws:cloudwatch:us-east-1:111111111111:alarm:none"
    )
    with pytest.raises(ClientError, match="not authorized to perform: cloudwatch:DescribeAlarms"):
        one.describe_alarms(AlarmNames=["none"])


def test_the_reserved_concurrency_of_a_function_has_three_actions(assume, create_function):
    arn = create_function("def handler(e, c): pass")
    calls = {
        "Put": ("put_function_concurrency", {"ReservedConcurrentExecutions": 1}),
        "Get": ("get_function_concurrency", {}),
        "Delete": ("delete_function_concurrency", {}),
    }
    for allowed in calls:
        client = assume(f"lambda:{allowed}FunctionConcurrency", arn, "lambda")
        for name, (operation, parameters) in calls.items():
            call = getattr(client, operation)
            if name == allowed:
                call(FunctionName=arn, **parameters)
            else:
                with pytest.raises(ClientError, match=f"perform: lambda:{name}FunctionConcurrency"):
                    call(FunctionName=arn, **parameters)
