"""What an account has of a Chalice app at a stage, found without Chalice's note.

Chalice 1.34 writes its note when everything is deployed. A deployment that was cut off has made
things that no note names; they are known by what Chalice makes of them:

- a function is `APP-STAGE` or `APP-STAGE-NAME` and has the tag `aws-chalice`, which names both;
- a role is `APP-STAGE-NAME`, is Lambda's, and has one inline policy of the same name or, where it
  was cut off in between, none;
- a REST API has the app's name, the same at every stage, and leads to the function `APP-STAGE`;
- a bucket with events for a function is in that function's policy.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.account import Account

Resource = dict[str, Any]
# What app.py can name a function: Chalice's validation takes nothing else.
_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_]+")
_HANDLER = "api_handler"


@dataclass(frozen=True)
class FoundApi:
    """A REST API of the app that leads to the stage's function.

    `is_deployed` says whether it has a stage, without which it never answered anything.
    """

    rest_api_id: str
    is_deployed: bool


class Discovery:
    """Looks for the app `app_name` at `stage` in the account and region."""

    def __init__(self, account: Account, app_name: str, stage: str) -> None:
        self._account = account
        self._app_name = app_name
        self._prefix = f"{app_name}-{stage}"
        self._tag = f":stage={stage}:app={app_name}"

    def resources(self) -> list[Resource]:
        """Return all but the API, as Chalice notes them, in the order it makes them."""
        functions = self.functions()
        return [
            *self.roles(),
            *functions,
            *(event for function in functions for event in self._bucket_events(function)),
        ]

    def configurations(self) -> dict[str, Mapping[str, Any]]:
        """Return the configuration of each of the app's functions, by its name in AWS."""
        client = self._account.client("lambda")
        configurations = [
            client.get_function_configuration(FunctionName=function["lambda_arn"])
            for function in self.functions()
        ]
        return {each["FunctionName"]: each for each in configurations}

    def bucket_events(self) -> frozenset[tuple[str, str]]:
        """Return the pairs of a bucket and the function, by its name in AWS, for its events."""
        return frozenset(
            (event["bucket"], event["lambda_arn"].rpartition(":")[2])
            for function in self.functions()
            for event in self._bucket_events(function)
        )

    def api_in_use(self, note: Mapping[str, Any] | None) -> str | None:
        """Return the API that the note names, or the one that is there without it."""
        found = self.apis()
        noted = {resource.get("rest_api_id") for resource in (note or {}).get("resources", ())}
        ranked = sorted(found, key=lambda api: (api.rest_api_id in noted, api.is_deployed))
        return ranked[-1].rest_api_id if ranked else None

    def routes(self, rest_api_id: str) -> dict[str, str]:
        """Return how each route of an API, such as `GET /items`, is authorized."""
        client = self._account.client("apigateway")
        return {
            f"{method} {resource['path']}": client.get_method(
                restApiId=rest_api_id, resourceId=resource["id"], httpMethod=method
            )["authorizationType"]
            for page in client.get_paginator("get_resources").paginate(restApiId=rest_api_id)
            for resource in page["items"]
            for method in resource.get("resourceMethods", {})
        }

    def functions(self) -> list[Resource]:
        """Return the app's functions."""
        client = self._account.client("lambda")
        return [
            {
                "name": name,
                "resource_type": "lambda_function",
                "lambda_arn": function["FunctionArn"],
            }
            for page in client.get_paginator("list_functions").paginate()
            for function in page["Functions"]
            if (name := self._name_in_chalice(function["FunctionName"], _HANDLER))
            and self._is_chalices(client.list_tags(Resource=function["FunctionArn"])["Tags"])
        ]

    def apis(self) -> list[FoundApi]:
        """Return the APIs that lead to the stage's function."""
        client = self._account.client("apigateway")
        return [
            FoundApi(api["id"], bool(client.get_stages(restApiId=api["id"])["item"]))
            for page in client.get_paginator("get_rest_apis").paginate()
            for api in page["items"]
            if api["name"] == self._app_name and self._leads_here(client, api["id"])
        ]

    def other_region(self) -> str | None:
        """Return the region another deployment of the stage is in, by the policies of its roles.

        Roles are an account's, in all regions, and Chalice names them without the region: the same
        stage in a second region would take the rights of the first one's functions.
        """
        for role in self.roles():
            for document in self.policies(role["role_name"]):
                for region in _regions(document):
                    if region != self._account.region:
                        return region
        return None

    def policies(self, role: str) -> list[dict[str, Any]]:
        """Return the documents of a role's own policies."""
        client = self._account.client("iam")
        names = client.list_role_policies(RoleName=role)["PolicyNames"]
        return [
            client.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in names
        ]

    def roles(self) -> Iterator[Resource]:
        """Return the roles of the app's functions."""
        client = self._account.client("iam")
        for page in client.get_paginator("list_roles").paginate():
            for role in page["Roles"]:
                name = self._name_in_chalice(role["RoleName"], "")
                if not name or not _is_lambdas(role["AssumeRolePolicyDocument"]):
                    continue
                policies = client.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
                if set(policies) <= {role["RoleName"]}:
                    yield {
                        "name": f"{name}_role",
                        "resource_type": "iam_role",
                        "role_arn": role["Arn"],
                        "role_name": role["RoleName"],
                    }

    def _name_in_chalice(self, name: str, alone: str) -> str | None:
        """Return the function's name in app.py, `alone` for what is named like the app itself."""
        if name == self._prefix:
            return alone
        rest = name.removeprefix(f"{self._prefix}-")
        return rest if rest != name and _FUNCTION_NAME.fullmatch(rest) else None

    def _is_chalices(self, tags: Mapping[str, str]) -> bool:
        # A function of a stack is CloudFormation's to change, though Chalice has packaged it.
        return tags.get("aws-chalice", "").endswith(self._tag) and not any(
            key.startswith("aws:cloudformation:") for key in tags
        )

    def _bucket_events(self, function: Resource) -> Iterator[Resource]:
        for source in self._permitted_sources(function["lambda_arn"]):
            # arn:aws:s3:::BUCKET
            _, _, service, _, _, bucket, *_ = source.split(":")
            if service == "s3":
                yield {
                    "name": f"{function['name']}-s3event",
                    "resource_type": "s3_event",
                    "bucket": bucket,
                    "lambda_arn": function["lambda_arn"],
                }

    def _permitted_sources(self, function: str) -> list[str]:
        client = self._account.client("lambda")
        try:
            policy = json.loads(client.get_policy(FunctionName=function)["Policy"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return []
            raise
        return [
            source
            for statement in policy["Statement"]
            for operator in statement.get("Condition", {}).values()
            for key, source in operator.items()
            if key.lower() == "aws:sourcearn"
        ]

    def _leads_here(self, client: Any, rest_api_id: str) -> bool:
        """Whether the API's first method that invokes a function invokes the stage's."""
        for page in client.get_paginator("get_resources").paginate(restApiId=rest_api_id):
            for resource in page["items"]:
                for method in resource.get("resourceMethods", {}):
                    integration = client.get_integration(
                        restApiId=rest_api_id, resourceId=resource["id"], httpMethod=method
                    )
                    # ...:lambda:path/2015-03-31/functions/ARN/invocations; a mock has no address.
                    if function := re.search(r":function:([^:/]+)", integration.get("uri", "")):
                        return function[1] == self._prefix
        return False


def _is_lambdas(trust_policy: Mapping[str, Any]) -> bool:
    return any(
        str(statement.get("Principal", {}).get("Service", "")).startswith("lambda.")
        for statement in trust_policy["Statement"]
    )


def _regions(document: Mapping[str, Any]) -> set[str]:
    """Return the regions in the ARNs of a policy."""
    arns: list[str] = []
    for statement in document["Statement"]:
        resources = statement.get("Resource", [])
        arns += [resources] if isinstance(resources, str) else resources
    return {region for arn in arns if (region := (arn.split(":") + [""] * 4)[3]) not in {"", "*"}}
