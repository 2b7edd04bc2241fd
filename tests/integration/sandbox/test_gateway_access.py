"""Who may call an API with AWS_IAM, and how fast."""

from __future__ import annotations

import json

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox import environment

MOCK = {
    "responses": {"200": {}},
    "x-amazon-apigateway-integration": {
        "type": "mock",
        "requestTemplates": {"application/json": '{"statusCode": 200}'},
        "responses": {"default": {"statusCode": "200"}},
    },
}


@pytest.fixture
def deploy_api(aws, unique):
    """Deploys an API with the resource policy and returns its id."""
    client, made = aws.client("apigateway"), []

    def deploy(policy=None, *, auth="awsSigv4"):
        security = {"in": "header", "type": "apiKey", "name": "Authorization"}
        security["x-amazon-apigateway-authtype"] = auth
        document = {
            "swagger": "2.0",
            "info": {"title": unique, "version": "1"},
            "paths": {"/things": {"get": {**MOCK, **({"security": [{"a": []}]} if auth else {})}}},
            "securityDefinitions": {"a": security} if auth else {},
            "x-amazon-apigateway-gateway-responses": {
                kind: {
                    "statusCode": status,
                    "responseTemplates": {"application/json": f'{{"kind": "{kind}"}}'},
                }
                for kind, status in (("ACCESS_DENIED", "403"), ("THROTTLED", "429"))
            },
        }
        if policy is not None:
            document["x-amazon-apigateway-policy"] = policy
        api = client.import_rest_api(body=json.dumps(document))["id"]
        client.create_deployment(restApiId=api, stageName="api")
        made.append(api)
        return api

    yield deploy
    for api in made:
        client.delete_rest_api(restApiId=api)


def call(aws, api, account=environment.WORKLOAD_ACCOUNT):
    url = f"{aws.endpoint}/_aws/execute-api/{api}/api/things"
    request = AWSRequest("GET", url)
    if account:
        credentials = Credentials(account, environment.SECRET_ACCESS_KEY)
        SigV4Auth(credentials, "execute-api", environment.REGION).add_auth(request)
    return httpx.get(url, headers=dict(request.headers))


def allow(account):
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": "execute-api:Invoke",
                "Resource": "execute-api:/*",
            }
        ],
    }


def test_an_account_is_let_in_by_being_the_owner_or_by_the_apis_policy(aws, deploy_api):
    closed, opened = deploy_api(), deploy_api(allow("333333333333"))
    for api in (closed, opened):
        assert call(aws, api).status_code == 200
        refused = call(aws, api, "444444444444")
        assert (refused.status_code, refused.json()) == (403, {"kind": "ACCESS_DENIED"})
    assert call(aws, closed, "333333333333").status_code == 403
    assert call(aws, opened, "333333333333").status_code == 200


def test_a_stage_admits_no_more_than_its_throttle(aws, deploy_api):
    api = deploy_api(auth=None)
    aws.client("apigateway").update_stage(
        restApiId=api,
        stageName="api",
        patchOperations=[
            {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "0.001"},
            {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "3"},
        ],
    )
    answers = [call(aws, api, None).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 429, 429]
