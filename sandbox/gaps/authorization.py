"""What a search for alarms is authorised for.

AWS: DescribeAlarms and DescribeAlarmHistory are checked against the ARN `alarm:*` of the account.
Source: Service authorization reference, "Actions, resources, and condition keys for Amazon
CloudWatch",
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html.

MiniStack 1.5.33: checks them against `*`, so a policy on the account's alarms allows no search.

The filler: that ARN.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core import iam_actions

# What is checked against all alarms of the account.
SEARCHES = {"DescribeAlarms", "DescribeAlarmHistory"}

_extract_resource_arn = iam_actions.extract_resource_arn


def install() -> None:
    """Take over the resource of a search."""
    iam_actions.extract_resource_arn = extract_resource_arn


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
