"""The app with the permissions its policy gives and no others; the embedded AWS enforces IAM."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from crud_api import resources


@pytest.fixture
def role_client(api, aws, unique):
    """A DynamoDB client with the app's time-outs, in a role that has the policy of the app."""
    iam, sts = aws.client("iam"), aws.client("sts")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    name = f"crud-api-{unique}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    policy = resources.policies(api.outputs)["api_handler"]
    iam.put_role_policy(RoleName=name, PolicyName="app", PolicyDocument=json.dumps(policy))
    assumed = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="app")["Credentials"]
    yield boto3.client(
        "dynamodb",
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
    )
    iam.delete_role_policy(RoleName=name, PolicyName="app")
    iam.delete_role(RoleName=name)


def test_the_policy_allows_all_the_app_does(api, role_client, monkeypatch, unique):
    monkeypatch.setattr(api.table, "_client", role_client)
    item, etag = api.create(tags=[unique])
    path = f"/items/{item['id']}"
    assert api.request("GET", path).status_code == 200
    assert api.request("GET", f"/items?tag={unique}").json_body["items"] == [item]
    put = api.request("PUT", path, {"name": "b"}, If_Match=etag)
    assert put.status_code == 200
    patch = api.request("PATCH", path, {"name": "c"}, If_Match=put.headers["ETag"])
    assert patch.status_code == 200
    tagged = api.request("PATCH", path, {"tags": ["u"]}, If_Match=patch.headers["ETag"])
    assert tagged.status_code == 200
    assert api.request("DELETE", path).status_code == 204
    operations = [{"op": "create", "item": {"name": "a", "tags": ["t"]}}]
    for atomic in ("false", "true"):
        batch = api.request("POST", f"/items:batch?atomic={atomic}", {"operations": operations})
        assert batch.json_body["results"][0]["status"] == 201


@pytest.mark.parametrize("operation", ["scan", "query", "update_table", "delete_table"])
def test_the_policy_allows_nothing_else(api, role_client, operation):
    name = api.outputs["TableName"]
    parameters = {
        "scan": {"TableName": name},
        "query": {
            "TableName": name,
            "KeyConditionExpression": "id = :id",
            "ExpressionAttributeValues": {":id": {"S": "x"}},
        },
        "update_table": {"TableName": name, "DeletionProtectionEnabled": False},
        "delete_table": {"TableName": name},
    }[operation]
    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(role_client, operation)(**parameters)
