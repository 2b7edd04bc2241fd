"""All four parts deployed, IAM enforced and recorded; and the means to use and to change them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox import environment, privilege
from sandbox.emulator import Emulator

if TYPE_CHECKING:
    from sandbox.privilege import Call, Right

WORKLOAD, MONITORING = environment.WORKLOAD_ACCOUNT, environment.MONITORING_ACCOUNT
# Seconds to wait for what should come; where a right is missing, for what should not.
PATIENCE: ContextVar[float] = ContextVar("patience", default=60.0)
ADMINISTRATOR = Credentials(WORKLOAD, environment.SECRET_ACCESS_KEY)


class Refused(Exception):
    """Something did not happen as it should; `problem` is the API's problem document, if any."""

    def __init__(self, text: str, problem: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.problem = problem


@dataclass
class Api:
    """A deployed API, called with signed requests."""

    url: str
    credentials: Any = ADMINISTRATOR

    def call(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        expect: int = 200,
        content: bytes | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Call the API; the names of headers have _ for -. Raises Refused: another status."""
        body = b"" if content is None else content
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if document is not None:
            body = json.dumps(document).encode()
            fields.setdefault("Content-Type", "application/json")
        request = AWSRequest(method, self.url + path, headers=fields, data=body)
        if self.credentials is not None:
            SigV4Auth(self.credentials, "execute-api", environment.REGION).add_auth(request)
        response = httpx.request(
            method, request.url, headers=dict(request.headers), content=body, timeout=60
        )
        if response.status_code != expect:
            raise Refused(
                f"{method} {path}: {response.status_code} {response.text}", _problem(response)
            )
        return response


def _problem(response: httpx.Response) -> dict[str, Any] | None:
    if not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return None
    document: dict[str, Any] = response.json()
    return document


@dataclass
class Deployed:
    """The sandbox with everything in it. `outputs` are those of the stacks, by their names."""

    emulator: Emulator
    record: Path
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)

    def client(self, service: str, account: str = WORKLOAD, **credentials: str) -> Any:
        """A boto3 client, by default as the administrator of the account."""
        return boto3.client(
            service,
            endpoint_url=self.emulator.endpoint,
            region_name=environment.REGION,
            aws_access_key_id=account,
            aws_secret_access_key=environment.SECRET_ACCESS_KEY,
            **credentials,
        )

    def api(self, function: str) -> Api:
        """The API that leads to a function."""
        policy = json.loads(self.client("lambda").get_policy(FunctionName=function)["Policy"])
        [api_id] = {
            statement["Condition"]["ArnLike"]["AWS:SourceArn"].split(":")[5].split("/")[0]
            for statement in policy["Statement"]
            if statement["Principal"] == {"Service": "apigateway.amazonaws.com"}
        }
        return Api(f"{self.emulator.endpoint}/_aws/execute-api/{api_id}/api")

    def calls(self, since: int = 0) -> list[Call]:
        """What was recorded after the first `since` lines."""
        # The last line may still be in the middle of being written.
        whole = self.record.read_text().rpartition("\n")[0]
        return privilege.calls_of(whole.splitlines()[since:])

    def lines(self) -> int:
        """How many lines the record has."""
        return len(self.record.read_text().splitlines())

    def roles(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Every role of both accounts: the account, the name, and what IAM says of it."""
        for account in (WORKLOAD, MONITORING):
            for page in self.client("iam", account).get_paginator("list_roles").paginate():
                for role in page["Roles"]:
                    yield account, role["RoleName"], role

    def policies(self, account: str, role: str) -> dict[str, dict[str, Any]]:
        """The policies of a role by name, those AWS manages left out."""
        iam = self.client("iam", account)
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        return {
            name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in names
        }

    def rights(self) -> list[Right]:
        """Every right of every role."""
        return [
            right
            for account, name, _ in self.roles()
            for right in privilege.rights_of(f"{account}:{name}", self.policies(account, name))
        ]

    @contextlib.contextmanager
    def lacking(self, right: Right) -> Iterator[None]:
        """The role without the right, as long as the block lasts."""
        account, _, role = right.role.partition(":")
        iam = self.client("iam", account)
        whole = self.policies(account, role)[right.policy]

        def put(document: Any) -> None:
            iam.put_role_policy(
                RoleName=role, PolicyName=right.policy, PolicyDocument=json.dumps(document)
            )

        less = privilege.without(whole, right)
        if less["Statement"]:
            put(less)
        else:
            iam.delete_role_policy(RoleName=role, PolicyName=right.policy)
        patience = PATIENCE.set(2.0)
        try:
            yield
        finally:
            PATIENCE.reset(patience)
            put(whole)

    def start_afresh(self, function: str, account: str = WORKLOAD) -> None:
        """End the environments of a function: what they keep in memory is read again."""
        client = self.client("lambda", account)
        configuration = client.get_function_configuration(FunctionName=function)
        variables = configuration.get("Environment", {}).get("Variables", {})
        client.update_function_configuration(
            FunctionName=function,
            Environment={"Variables": variables | {"AFRESH": str(time.monotonic_ns())}},
        )


def until(look: Callable[[], Any], what: str = "it did not come to be") -> Any:
    """Look again until there is something, at most for PATIENCE. Raises Refused."""
    deadline = time.monotonic() + PATIENCE.get()
    while not (found := look()):
        if time.monotonic() > deadline:
            raise Refused(what)
        time.sleep(0.03)
    return found
