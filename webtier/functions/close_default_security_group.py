"""Takes every rule of a security group away: a custom resource, since CloudFormation cannot.

Request and answer: AWS CloudFormation User Guide, "Custom resource request and response reference".
"""

from __future__ import annotations

import json
import time
import traceback
from typing import Any

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

# Everything that is tried and waited for here fits the function's time, so that it always answers.
QUICK = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
WAITS = (1.0, 2.0, 4.0, 8.0)
ANSWERING = urllib3.Retry(
    total=3, backoff_factor=1, status_forcelist=(500, 502, 503, 504), allowed_methods=None
)
# A role that was made a moment ago is not known everywhere yet; a rule went while it was looked at.
PASSING = frozenset({"UnauthorizedOperation", "InvalidPermission.NotFound"})


def handler(event: dict[str, Any], context: Any) -> None:
    """Close the group that the request names, and answer CloudFormation, whatever happens.

    On Delete nothing is done: the group goes with its VPC, and stays closed where that stays. No
    right to open it is needed then.
    """
    group = event["ResourceProperties"].get("SecurityGroupId")
    name = event.get("PhysicalResourceId") or event["LogicalResourceId"]
    answer = {"Status": "SUCCESS"}
    try:
        if event["RequestType"] != "Delete":
            close(boto3.client("ec2", config=QUICK), group)
            name = group
    except Exception as error:
        traceback.print_exc()
        log = f"{context.log_group_name}, {context.log_stream_name}"
        reason = f"Rules of the security group {group} could not be revoked: {error}"
        answer = {"Status": "FAILED", "Reason": f"{reason[:1000]} (log: {log})"}
    identity = {key: event[key] for key in ("LogicalResourceId", "RequestId", "StackId")}
    send(event["ResponseURL"], answer | identity | {"PhysicalResourceId": name})


def close(ec2: Any, group: str, waits: tuple[float, ...] = WAITS) -> None:
    """Revoke the rules of a group by its id, trying again after `waits` seconds each.

    Raises botocore's exceptions.
    """
    for wait in waits:
        try:
            revoke(ec2, group)
        except ClientError as error:
            if error.response["Error"]["Code"] not in PASSING:
                raise
            print(f"Again in {wait} s: {error}")
            time.sleep(wait)
        else:
            return
    revoke(ec2, group)


def revoke(ec2: Any, group: str) -> None:
    """Revoke the rules that a group has now. Raises botocore's exceptions."""
    (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    for rules, operation in (
        (found["IpPermissions"], ec2.revoke_security_group_ingress),
        (found["IpPermissionsEgress"], ec2.revoke_security_group_egress),
    ):
        if rules:
            operation(GroupId=group, IpPermissions=rules)
            print(f"Revoked of {group}: {json.dumps(rules)}")


def send(url: str, answer: dict[str, str]) -> None:
    """Put the answer where CloudFormation waits for it.

    Raises urllib3.exceptions.HTTPError, or RuntimeError where it is refused: Lambda then tries the
    whole again.
    """
    # The URL is signed for a request without a type.
    response = urllib3.PoolManager().request(
        "PUT",
        url,
        body=json.dumps(answer).encode(),
        headers={"Content-Type": ""},
        retries=ANSWERING,
        timeout=urllib3.Timeout(connect=3, read=5),
    )
    if response.status >= 400:
        raise RuntimeError(f"CloudFormation refused the answer: {response.status}")
