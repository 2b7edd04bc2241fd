"""What is watched, read from the Chalice projects and the templates that deploy it.

No list is kept by hand: a function, API, table or queue that would be deployed has its alarms, and
one that would no longer be deployed has none. What has no alarms here is an error, not a gap.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from monitoring.cloudformation import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).resolve().parent.parent
OWNERS = Path(__file__).with_name("owners.toml")

Account = Literal["workload", "monitoring"]
Purpose = Literal["work", "dead-letters", "archive"]

METADATA = "Monitoring"
"""A key of a resource's metadata, for what its properties do not say: `{"Purpose": "archive"}`."""

# Types that are watched, or that say what a queue or function is for.
_READ = (
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::DynamoDB::Table",
    "AWS::Events::Rule",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::SNS::Subscription",
    "AWS::SQS::Queue",
)

_WATCHED = (
    "AWS::ApiGateway::RestApi",
    "AWS::DynamoDB::Table",
    "AWS::Lambda::Function",
    "AWS::SQS::Queue",
)

# Types that do work or hold messages, and for which there are no alarms here yet. A template that
# begins to use one must not pass unwatched.
_NEEDS_ALARMS = (
    "AWS::ApiGatewayV2::Api",
    "AWS::AppSync::GraphQLApi",
    "AWS::Batch::JobQueue",
    "AWS::DynamoDB::GlobalTable",
    "AWS::Kinesis::Stream",
    "AWS::KinesisFirehose::DeliveryStream",
    "AWS::MSK::Cluster",
    "AWS::Pipes::Pipe",
    "AWS::Scheduler::Schedule",
    "AWS::Serverless::Api",
    "AWS::Serverless::Function",
    "AWS::Serverless::HttpApi",
    "AWS::Serverless::SimpleTable",
    "AWS::StepFunctions::StateMachine",
)


class InventoryError(Exception):
    """Something cannot be watched. The message is one line: it names what, and what is wrong."""


@dataclass(frozen=True)
class Function:
    """One Lambda function."""

    key: str
    """Its name within the service, such as `api_handler`."""
    name: str
    """Its name in AWS, such as `image_api-prod`."""
    timeout_seconds: int
    asynchronous: bool
    """Invoked by S3, SNS or EventBridge: Lambda keeps the events it throttles, and tries again."""
    reserved_concurrency: int | None = None


@dataclass(frozen=True)
class RestApi:
    """One REST API of API Gateway: `name` and `stage` are its dimensions in CloudWatch."""

    name: str
    stage: str


@dataclass(frozen=True)
class Table:
    """One DynamoDB table with its global secondary indexes."""

    key: str
    name: str
    indexes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Queue:
    """One SQS queue.

    `purpose` is "work" where something is to empty it, "dead-letters" where nothing should be in
    it, "archive" where messages are kept until they expire. `function` is the key of the function
    whose failed events it keeps.
    """

    key: str
    name: str
    purpose: Purpose = "work"
    function: str | None = None


@dataclass(frozen=True)
class Service:
    """What one application, or one stack, has in one stage."""

    name: str
    functions: tuple[Function, ...] = ()
    rest_api: RestApi | None = None
    tables: tuple[Table, ...] = ()
    queues: tuple[Queue, ...] = ()
    owner: str = ""
    account: Account = "workload"

    def failures_of(self, function: Function) -> Queue | None:
        """The queue that keeps the events a function failed on, None where there is none."""
        return next((queue for queue in self.queues if queue.function == function.key), None)


def projects(root: Path = ROOT) -> tuple[Path, ...]:
    """Every Chalice project of the repository, in alphabetical order."""
    return tuple(sorted(path.parent.parent for path in root.glob("*/.chalice/config.json")))


def owners(path: Path = OWNERS) -> dict[str, str]:
    """Whose each service is. Raises InventoryError: the file cannot be read."""
    try:
        found: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InventoryError(f"{path}: {error}") from None
    return found


def owned(services: Iterable[Service], names: Mapping[str, str]) -> tuple[Service, ...]:
    """Give every service its owner. Raises InventoryError: one has none."""
    result = []
    for service in services:
        owner = names.get(service.name, "")
        if not owner.strip():
            raise InventoryError(
                f"{service.name} has no owner: name one in {OWNERS.parent.name}/{OWNERS.name}"
            )
        result.append(replace(service, owner=owner))
    return tuple(result)


def read(project: Path, stage: str) -> Service:
    """Return what `python -m deploy PROJECT --stage STAGE` would create and is to be watched.

    The project is imported with the variables of `local`, which are always recorded: a stage that
    was never deployed can be watched from its first day. Names and time-outs are the stage's.

    Raises InventoryError: there is no Chalice project, no such stage, it cannot be imported, or a
    resource of it cannot be watched.
    """
    config_file = project / ".chalice" / "config.json"
    try:
        config: dict[str, Any] = json.loads(config_file.read_text())
    except FileNotFoundError:
        raise InventoryError(f"{project}: no Chalice project (.chalice/config.json)") from None
    except ValueError as error:
        raise InventoryError(f"{config_file}: not JSON: {error}") from None
    stages = config.get("stages", {})
    if stage not in stages:
        known = ", ".join(sorted(stages)) or "none"
        raise InventoryError(f"{config_file}: no stage {stage!r} (its stages: {known})")
    models = Path(__file__).with_name("chalice_models.py")
    run = subprocess.run(
        [sys.executable, "-P", str(models), str(project), stage],
        # Lambda always has a region, and an app may make a client while it is imported.
        env={"AWS_DEFAULT_REGION": "us-east-1", **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        reason = (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]
        raise InventoryError(f"{project}: stage {stage!r} cannot be read: {reason}")
    found = json.loads(run.stdout)
    service = Service(
        name=found["name"],
        functions=tuple(Function(**function) for function in found["functions"]),
        rest_api=RestApi(**found["rest_api"]) if found["rest_api"] else None,
    )
    if found["per_operation"] is not None:
        service = with_operations(service, found["per_operation"], f"{service.name}-{stage}-")
    templates: dict[str, Any] = found["templates"]
    name = found["name"].replace("_", "-")
    outputs: dict[str, Any] = {}
    if "template" in templates:
        first = templates.pop("template")
        service = with_template(service, first, f"{name}-{stage}")
        outputs = _outputs(_document(first, f"{name}-{stage}", {}))
    for maker, body in templates.items():
        # `python -m deploy` names such a stack after the function that makes its template, and
        # gives it the outputs of the first by their names.
        stack = f"{name}-{maker.replace('_', '-')}-{stage}"
        service = with_template(service, body, stack, outputs)
    return service


def _document(body: Mapping[str, Any], stack: str, inputs: Mapping[str, Any]) -> Document:
    """The template as the stack of that name, with the inputs that it has parameters for."""
    return Document(
        body,
        {
            "AWS::StackName": stack,
            "AWS::StackId": f"arn:aws:cloudformation:stack/{stack}/${{AWS::StackId}}",
            "AWS::AccountId": "${AWS::AccountId}",
            "AWS::Region": "${AWS::Region}",
            **{
                name: inputs.get(name, parameter.get("Default", f"${{{name}}}"))
                for name, parameter in body.get("Parameters", {}).items()
            },
        },
    )


def _outputs(document: Document) -> dict[str, Any]:
    outputs: Mapping[str, Any] = document.body.get("Outputs", {})
    return {name: document.value(output["Value"]) for name, output in outputs.items()}


def with_template(
    service: Service, body: Mapping[str, Any], stack: str, inputs: Mapping[str, Any] | None = None
) -> Service:
    """Add the functions, APIs, tables and queues of a template, deployed as the stack `stack`.

    `inputs` are parameters by name, such as the outputs of the stack before.

    Raises InventoryError: one of them has no name of its own, or is of a type without alarms.
    """
    document = _document(body, stack, inputs or {})
    purposes = _purposes(document, service)
    functions, tables = list(service.functions), list(service.tables)
    # A template may say what a queue of the one before is for.
    queues = [_with_purpose(queue, purposes) for queue in service.queues]
    rest_api = service.rest_api
    for logical_id, kind, _ in document.resources():
        where = f"{service.name}: {logical_id} ({kind})"
        if kind in _NEEDS_ALARMS:
            raise InventoryError(f"{where} has no alarms: add them to monitoring/conditions.py")
        if kind not in _READ:
            continue
        properties = document.properties(logical_id)
        match kind:
            case "AWS::Lambda::Function":
                functions.append(
                    Function(
                        logical_id,
                        _name(where, properties, "FunctionName"),
                        int(properties.get("Timeout", 3)),
                        asynchronous=_is_asynchronous(document, logical_id),
                        reserved_concurrency=properties.get("ReservedConcurrentExecutions"),
                    )
                )
            case "AWS::ApiGateway::RestApi":
                if rest_api is not None:
                    raise InventoryError(f"{where} is a second API: give it a service of its own")
                rest_api = RestApi(_name(where, properties, "Name"), _stage_of(document, where))
            case "AWS::DynamoDB::Table":
                indexes = (
                    str(index["IndexName"])
                    for index in properties.get("GlobalSecondaryIndexes", ())
                )
                name = _name(where, properties, "TableName")
                tables.append(Table(logical_id, name, tuple(indexes)))
            case "AWS::SQS::Queue":
                purpose, function = purposes.get(logical_id, ("work", None))
                name = _name(where, properties, "QueueName")
                queues.append(Queue(logical_id, name, purpose, function))
            case _:
                pass
    return replace(
        service,
        functions=tuple(functions),
        rest_api=rest_api,
        tables=tuple(tables),
        queues=tuple(queues),
    )


def with_operations(service: Service, body: Mapping[str, Any], prefix: str) -> Service:
    """Add the functions of a template that Chalice's own is merged with, as `--per-operation` does.

    Whether a stage is deployed that way is not written down anywhere, so they are always watched:
    where they do not exist, their alarms have no data, which is good. `prefix` begins the names.

    Raises InventoryError: one has another name, or is of a type without alarms.
    """
    common = body.get("Globals", {}).get("Function", {})
    added = []
    for logical_id, resource in body["Resources"].items():
        kind = resource.get("Type", "")
        where = f"{service.name}: {logical_id} ({kind})"
        if kind == "AWS::Serverless::Function":
            properties = {**common, **resource["Properties"]}
            name = _name(where, properties, "FunctionName")
            if not name.startswith(prefix):
                raise InventoryError(f"{where}: its FunctionName does not begin with {prefix}")
            added.append(
                Function(
                    name.removeprefix(prefix),
                    name,
                    int(properties.get("Timeout", 3)),
                    asynchronous="Events" in properties,
                    reserved_concurrency=properties.get("ReservedConcurrentExecutions"),
                )
            )
        elif kind in _NEEDS_ALARMS or kind in _WATCHED:
            raise InventoryError(f"{where} belongs into resources.py, where it is watched")
    return replace(service, functions=(*service.functions, *added))


def _with_purpose(queue: Queue, purposes: Mapping[str, tuple[Purpose, str | None]]) -> Queue:
    purpose, function = purposes.get(queue.key, (queue.purpose, queue.function))
    return replace(queue, purpose=purpose, function=function)


def _name(where: str, properties: Mapping[str, Any], member: str) -> str:
    name = properties.get(member)
    if not isinstance(name, str) or not name or "${" in name:
        raise InventoryError(
            f"{where} has no {member} of its own, which its metrics are found by: set one that "
            "depends on nothing but the stack's name"
        )
    return name


def _purposes(document: Document, service: Service) -> dict[str, tuple[Purpose, str | None]]:
    """What each queue is for that is no ordinary one, and whose failures it keeps."""
    found: dict[str, tuple[Purpose, str | None]] = {}
    keys = {function.name: function.key for function in service.functions}
    for logical_id, kind, _ in document.resources():
        if kind == "AWS::Lambda::Function":
            keys[str(document.value({"Ref": logical_id}))] = logical_id
    for logical_id, kind, resource in document.resources():
        if kind not in _READ:
            continue
        if resource.get("Metadata", {}).get(METADATA, {}).get("Purpose") == "archive":
            found[logical_id] = ("archive", None)
        properties = document.properties(logical_id)
        function = None
        match kind:
            case "AWS::Lambda::EventInvokeConfig":
                named = str(properties["FunctionName"]).rsplit(":", 1)[-1]
                function = keys.get(named)
                destination = properties.get("DestinationConfig", {}).get("OnFailure", {})
                target = destination.get("Destination")
            case "AWS::Lambda::Function":
                function = logical_id
                target = properties.get("DeadLetterConfig", {}).get("TargetArn")
            case "AWS::SQS::Queue":
                target = properties.get("RedrivePolicy", {}).get("deadLetterTargetArn")
            case _:
                target = None
        if target and str(target).startswith("${"):
            queue = str(target)[2:-1].split(".", 1)[0]
            found[queue] = ("dead-letters", function or found.get(queue, (None, None))[1])
        for queue in _targets_dead_letters(properties):
            found.setdefault(queue, ("dead-letters", None))
    return found


def _targets_dead_letters(properties: Mapping[str, Any]) -> list[str]:
    """The queues that rules and subscriptions give their undelivered messages to."""
    given = [target.get("DeadLetterConfig", {}).get("Arn") for target in _rule_targets(properties)]
    redrive = properties.get("RedrivePolicy")
    if isinstance(redrive, dict):
        given.append(redrive.get("deadLetterTargetArn"))
    return [arn[2:-1].split(".", 1)[0] for arn in given if arn and arn.startswith("${")]


def _rule_targets(properties: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    targets = properties.get("Targets")
    if not isinstance(targets, list):
        return []
    return [target for target in targets if isinstance(target, dict)]


def _is_asynchronous(document: Document, function: str) -> bool:
    """Whether a service invokes the function of a template and keeps what it throttles."""
    callers = ("events.amazonaws.com", "sns.amazonaws.com", "s3.amazonaws.com")
    for logical_id, kind, _ in document.resources():
        if kind != "AWS::Lambda::Permission":
            continue
        properties = document.properties(logical_id)
        named = document.value({"Ref": function})
        if properties["Principal"] in callers and properties["FunctionName"] in (
            named,
            f"${{{function}.Arn}}",
        ):
            return True
    return False


def _stage_of(document: Document, where: str) -> str:
    for logical_id, kind, _ in document.resources():
        if kind == "AWS::ApiGateway::Stage":
            return str(document.properties(logical_id)["StageName"])
    raise InventoryError(f"{where} has no AWS::ApiGateway::Stage: its metrics are found by it")
