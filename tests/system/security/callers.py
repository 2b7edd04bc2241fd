"""Those who call an API in the tests: roles, other accounts and users of a pool."""

from __future__ import annotations

import json
import uuid
from typing import Any

from botocore.credentials import Credentials

from sandbox import environment
from tests.system.security.deployed import WORKLOAD, Deployed

STRANGER = Credentials("333333333333", environment.SECRET_ACCESS_KEY)
PASSWORD = "Correct-horse-7"


def role(deployed: Deployed, *statements: dict[str, Any]) -> Credentials:
    """The credentials of a new role with these statements."""
    iam, name = deployed.client("iam"), f"caller-{uuid.uuid4().hex[:8]}"
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{WORKLOAD}:root"},
        "Action": "sts:AssumeRole",
    }
    made = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]
    document = {"Version": "2012-10-17", "Statement": [*statements]}
    iam.put_role_policy(RoleName=name, PolicyName="call", PolicyDocument=json.dumps(document))
    session = deployed.client("sts").assume_role(RoleArn=made["Arn"], RoleSessionName="test")
    given = session["Credentials"]
    return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def pool(deployed: Deployed) -> tuple[str, str]:
    """A new user pool: its ARN, and its client for users with passwords."""
    cognito = deployed.client("cognito-idp")
    made = cognito.create_user_pool(PoolName=f"pool-{uuid.uuid4().hex[:8]}")["UserPool"]
    client = cognito.create_user_pool_client(
        UserPoolId=made["Id"],
        ClientName="test",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]
    return made["Arn"], client["ClientId"]


def token(deployed: Deployed, pool_arn: str, client: str, name: str) -> str:
    """The ID token of a new user of the pool, signed by it."""
    cognito, pool_id = deployed.client("cognito-idp"), pool_arn.rpartition("/")[2]
    cognito.admin_create_user(UserPoolId=pool_id, Username=name, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(
        UserPoolId=pool_id, Username=name, Password=PASSWORD, Permanent=True
    )
    answer = cognito.initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": name, "PASSWORD": PASSWORD},
    )
    signed: str = answer["AuthenticationResult"]["IdToken"]
    return signed
