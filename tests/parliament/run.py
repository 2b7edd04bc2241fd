"""Check every policy document in templates and policy files with parliament.

    python -m tests.parliament.run build/*.json */.chalice/policy-*.json

In a template it reads the policies of roles, trust policies and the policies of resources, with
the functions of CloudFormation evaluated: once with every optional parameter given, once with none.
A resource is excused from an issue by its own metadata:

    "Metadata": {"parliament": {"ignore": [{"id": "RESOURCE_STAR", "reason": "the reason"}]}}

An excuse that no finding needs any more is a finding too. Exit code 0 without findings, 1 with.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitoring.cloudformation import Document
from tests.excuses import Finding, read_command_line, report
from tests.parliament.analysis import issues

_HERE = "us-east-1:111111111111"
_ID = "0a1b2c3d-0000-4000-8000-000000000000"
# The form of a resource's ARN, by its type: parliament compares it with what an action takes.
_ARNS = {
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{_HERE}:table/example",
    "AWS::Events::EventBus": f"arn:aws:events:{_HERE}:event-bus/example",
    "AWS::Events::Rule": f"arn:aws:events:{_HERE}:rule/example/example",
    "AWS::IAM::OIDCProvider": "arn:aws:iam::111111111111:oidc-provider/example.com",
    "AWS::IAM::Role": "arn:aws:iam::111111111111:role/example",
    "AWS::KMS::Key": f"arn:aws:kms:{_HERE}:key/{_ID}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{_HERE}:function:example",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{_HERE}:log-group:example:*",
    "AWS::Oam::Sink": f"arn:aws:oam:{_HERE}:sink/{_ID}",
    "AWS::S3::Bucket": "arn:aws:s3:::example",
    "AWS::SNS::Topic": f"arn:aws:sns:{_HERE}:example",
    "AWS::SQS::Queue": f"arn:aws:sqs:{_HERE}:example",
}
# The same for attributes that have another name, or are the ARN of something else.
_ATTRIBUTE_ARNS = {
    ".DBClusterArn": f"arn:aws:rds:{_HERE}:cluster:example",
    ".DBInstanceArn": f"arn:aws:rds:{_HERE}:db:example",
    ".MasterUserSecret.SecretArn": f"arn:aws:secretsmanager:{_HERE}:secret:example-abcdef",
}
# What a policy is attached to where its statements name no resource, or "*" for it.
_ATTACHED = {
    "AssumeRolePolicyDocument": _ARNS["AWS::IAM::Role"],
    "KeyPolicy": _ARNS["AWS::KMS::Key"],
    "Policy": _ARNS["AWS::Oam::Sink"],
}
_VARIABLE = re.compile(r"\$\{(\w+)(\.[\w.]+)?\}")

Bodies = Mapping[str, Mapping[str, Any]]


def excuses(path: str, body: Mapping[str, Any]) -> list[Finding]:
    """Each excuse in a template as the finding it is for; its reason is the description."""
    return [
        Finding(path, resource, excuse["id"], excuse["reason"])
        for resource, declared in body.get("Resources", {}).items()
        for excuse in declared.get("Metadata", {}).get("parliament", {}).get("ignore", [])
    ]


def findings(bodies: Bodies) -> list[Finding]:
    """Every finding in templates and policy files, excused or not."""
    # The two evaluations of a template have most findings in common.
    found = {
        Finding(path, resource, issue, detail)
        for path, resource, document in policy_documents(bodies)
        for issue, detail in issues(document).items()
    }
    return sorted(found)


def policy_documents(bodies: Bodies) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each policy document with its path and the logical id of the resource it is in."""
    outputs = _outputs(bodies)
    for path, body in bodies.items():
        if "Statement" in body:
            yield path, "", dict(body)
            continue
        for document in _evaluations(path, body, outputs):
            for logical_id, _type, resource in document.resources():
                for attached, policy in _policies("", resource.get("Properties", {})):
                    plain = _with_arns(document.value(policy), body)
                    yield path, logical_id, _named(plain, attached)


def _outputs(bodies: Bodies) -> dict[str, Any]:
    """What the templates require of each other: outputs of one are parameters of another."""
    wanted = {name for body in bodies.values() for name in _parameters(body, required=True)}
    return {
        name: _with_arns(Document(body, _pseudo_parameters(path)).value(output["Value"]), body)
        for path, body in bodies.items()
        for name, output in body.get("Outputs", {}).items()
        if name in wanted
    }


def _pseudo_parameters(path: str) -> dict[str, str]:
    stack = f"{Path(path).stem.replace('_', '-')}-prod"
    return {
        "AWS::AccountId": "111111111111",
        "AWS::Region": "us-east-1",
        "AWS::StackId": f"arn:aws:cloudformation:{_HERE}:stack/{stack}/{_ID}",
        "AWS::StackName": stack,
    }


def _parameters(body: Mapping[str, Any], *, required: bool) -> set[str]:
    """The names of parameters that have no default, or an empty one."""
    default = None if required else ""
    return {
        name
        for name, declared in body.get("Parameters", {}).items()
        if declared.get("Default") == default
    }


def _evaluations(
    path: str, body: Mapping[str, Any], outputs: Mapping[str, Any]
) -> Iterator[Document]:
    """The template with its optional parameters left out, and with all of them given."""

    def value(name: str) -> Any:
        return outputs.get(name, "222222222222" if name.endswith("AccountId") else "example")

    required = {name: value(name) for name in _parameters(body, required=True)}
    optional = {name: value(name) for name in _parameters(body, required=False)}
    for given in ({}, optional) if optional else ({},):
        yield Document(body, {**_pseudo_parameters(path), **required, **given})


def _with_arns(value: Any, body: Mapping[str, Any]) -> Any:
    """The value with an ARN of the right form for what only a deployment knows."""
    match value:
        case str():
            return _VARIABLE.sub(lambda found: _arn(body, found[1], found[2]), value)
        case dict():
            return {key: _with_arns(item, body) for key, item in value.items()}
        case list():
            return [_with_arns(item, body) for item in value]
        case _:
            return value


def _arn(body: Mapping[str, Any], logical_id: str, attribute: str | None) -> str:
    resource = body["Resources"].get(logical_id)
    if resource is None:  # a variable of IAM's own
        return f"${{{logical_id}{attribute or ''}}}"
    if attribute is None and resource["Type"] == "AWS::S3::Bucket":
        return "example"
    return _ATTRIBUTE_ARNS.get(attribute or "") or _ARNS.get(resource["Type"], "example")


def _policies(name: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each policy document in a value, with the property it is in."""
    match value:
        # A rule of AWS WAF has a statement, too, which allows and denies nothing.
        case {"Statement": list() | {"Effect": _}}:
            yield name, value
        case dict():
            for key, item in value.items():
                yield from _policies(key, item)
        case list():
            for item in value:
                yield from _policies(name, item)


def _named(policy: Mapping[str, Any], attached: str) -> dict[str, Any]:
    """The policy with the resource named that it is attached to, where it means that."""
    statements = policy["Statement"]
    if isinstance(statements, dict):
        statements = [statements]
    if attached in _ATTACHED:
        statements = [{**statement, "Resource": _ATTACHED[attached]} for statement in statements]
    return {"Version": "2012-10-17", "Statement": statements}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    bodies = read_command_line("tests.parliament.run", __doc__, arguments)
    excused = [excuse for path, body in bodies.items() for excuse in excuses(path, body)]
    return report("parliament", len(bodies), findings(bodies), excused)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
