"""What runs in the sandbox, read from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import boto3

from sandbox import environment, parts

if TYPE_CHECKING:
    from sandbox.emulator import Emulator

API_STAGE = "api"


@dataclass(frozen=True)
class Stack:
    """A CloudFormation stack and the account it is in."""

    account: str
    name: str
    status: str


@dataclass(frozen=True)
class Status:
    """The answer of `python -m sandbox status --json`."""

    endpoint: str
    console: str
    apis: dict[str, str]
    webtier: str | None
    accounts: dict[str, str]
    stacks: list[Stack]

    def document(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


def client(emulator: Emulator, service: str, account: str) -> Any:
    """A boto3 client of that service as an administrator of the account."""
    return boto3.client(
        service,
        endpoint_url=emulator.endpoint,
        region_name=environment.REGION,
        aws_access_key_id=account,
        aws_secret_access_key=environment.SECRET_ACCESS_KEY,
    )


def collect(emulator: Emulator) -> Status:
    """Ask the embedded AWS for its stacks and APIs."""
    stacks = [
        Stack(account, stack["StackName"], stack["StackStatus"])
        for account in environment.ACCOUNTS.values()
        for stack in client(emulator, "cloudformation", account).describe_stacks()["Stacks"]
    ]
    names = {stack.name for stack in stacks}
    gateway = client(emulator, "apigateway", environment.WORKLOAD_ACCOUNT)
    identifiers = {api["name"]: api["id"] for api in gateway.get_rest_apis()["items"]}
    return Status(
        endpoint=emulator.endpoint,
        console=f"{emulator.endpoint}/_sandbox/",
        apis={
            part: f"{emulator.endpoint}/_aws/execute-api/{identifiers[part]}/{API_STAGE}"
            for part in parts.CHALICE_PARTS
            if part in identifiers
        },
        webtier=_webtier(emulator) if f"webtier-{parts.STAGE}" in names else None,
        accounts=dict(environment.ACCOUNTS),
        stacks=sorted(stacks, key=lambda stack: (stack.account, stack.name)),
    )


def _webtier(emulator: Emulator) -> str | None:
    """The URL of the web tier's load balancer; None while it is being made."""
    cloudformation = client(emulator, "cloudformation", environment.WORKLOAD_ACCOUNT)
    (stack,) = cloudformation.describe_stacks(StackName=f"webtier-{parts.STAGE}")["Stacks"]
    for output in stack.get("Outputs", []):
        if output["OutputKey"] == "LoadBalancerDnsName":
            return f"http://{output['OutputValue']}"
    return None
