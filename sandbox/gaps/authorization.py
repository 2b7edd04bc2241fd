"""What requests are authorised for: a search for alarms, a function's reserved concurrency.

AWS: DescribeAlarms and DescribeAlarmHistory are checked against the ARN `alarm:*` of the account.
Getting, putting and deleting a function's reserved concurrency are three actions. Source: Service
authorization reference, "Actions, resources, and condition keys for Amazon CloudWatch",
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html, and
"… for AWS Lambda",
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html.

MiniStack 1.5.33: checks the searches against `*`, so a policy on the account's alarms allows none,
and takes all three for lambda:PutFunctionConcurrency.

The filler: that ARN, and the three actions.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core import iam_actions

# What is checked against all alarms of the account.
SEARCHES = {"DescribeAlarms", "DescribeAlarmHistory"}

CONCURRENCY = {
    "DELETE": "lambda:DeleteFunctionConcurrency",
    "GET": "lambda:GetFunctionConcurrency",
    "PUT": "lambda:PutFunctionConcurrency",
}

_extract_resource_arn = iam_actions.extract_resource_arn
_extract_iam_action = iam_actions.extract_iam_action


def install() -> None:
    """Take over the resource of a search and the action on a concurrency."""
    iam_actions.extract_resource_arn = extract_resource_arn
    iam_actions.extract_iam_action = extract_iam_action


def extract_iam_action(
    service: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query: dict[str, Any],
) -> str | None:
    """The action that a request needs; None where it needs none."""
    if service == "lambda" and path.rstrip("/").endswith("/concurrency"):
        return CONCURRENCY.get(method)
    action: str | None = _extract_iam_action(service, method, path, headers, body, query)
    return action


def extract_resource_arn(
    service: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query: dict[str, Any],
    region: str,
    account: str,
) -> str:
    """The ARN of the resource that a request is about."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if service == "monitoring" and operation in SEARCHES:
        return f"arn:aws:cloudwatch:{region}:{account}:alarm:*"
    if service == "lambda" and method == "POST" and path.rstrip("/").endswith("/functions"):
        name = json.loads(body or b"{}").get("FunctionName", "")
        return f"arn:aws:lambda:{region}:{account}:function:{name}"
    return str(_extract_resource_arn(service, method, path, headers, body, query, region, account))
