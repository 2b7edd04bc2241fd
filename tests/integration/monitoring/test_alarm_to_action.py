"""A function fails in the workload account: alarm, rule, notification, action, recovery."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, WaiterError
from troposphere import GetAtt, Template, awslambda, iam

from monitoring import action, build, naming
from monitoring.inventory import Function, Service

if TYPE_CHECKING:
    from tests.conftest import DeployStack, EmbeddedAws

WORKLOAD = "111111111111"
MONITORING = "222222222222"

# Alarm periods are shorter in the embedded AWS; a cold function and a shared machine are slow.
PATIENCE = 60.0

FAILING = """
def handler(event, context):
    if event.get("fail"):
        raise RuntimeError("as asked")
"""


def until(look: Callable[[], Any], *, busy: Callable[[], object] = lambda: None) -> Any:
    """Look again until there is something; keep `busy` in between."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing came of it"
        busy()
        time.sleep(0.2)
    return found


class Queue:
    """What a queue has delivered so far."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url
        self._messages: list[dict[str, Any]] = []

    def messages(self) -> list[dict[str, Any]]:
        answer = self._client.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            body = json.loads(message["Body"])
            # A notification of SNS wraps its message.
            self._messages.append(json.loads(body["Message"]) if "Message" in body else body)
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self._messages

    def having(self, **fields: Any) -> list[dict[str, Any]]:
        return [message for message in self.messages() if fields.items() <= message.items()]


@dataclass
class Watched:
    """Both accounts, with one function that is watched."""

    aws: EmbeddedAws
    stage: str
    function: Function
    arn: str
    outputs: dict[str, str]
    inbox: Queue
    dead_letters: Queue

    @property
    def alarm(self) -> str:
        return naming.alarm(self.stage, "shop", "process", "error-rate")

    def fail(self) -> None:
        try:
            self.aws.client("lambda").invoke(
                FunctionName=self.function.name, Payload=b'{"fail": true}'
            )
        except ClientError as error:
            # Once capped, calls made at the same time are throttled.
            if error.response["Error"]["Code"] != "TooManyRequestsException":
                raise

    def reserved(self) -> int | None:
        answer = self.aws.client("lambda").get_function_concurrency(FunctionName=self.function.name)
        value: int | None = answer.get("ReservedConcurrentExecutions")
        return value

    def tags(self) -> dict[str, str]:
        tags: dict[str, str] = self.aws.client("lambda").list_tags(Resource=self.arn)["Tags"]
        return tags


def workload(function: Function) -> Template:
    """One function that fails when it is told to."""
    template = Template()
    template.add_resource(
        iam.Role(
            "Role",
            AssumeRolePolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
        )
    )
    template.add_resource(
        awslambda.Function(
            "Function",
            FunctionName=function.name,
            Runtime="python3.11",
            Handler="index.handler",
            Timeout=function.timeout_seconds,
            Role=GetAtt("Role", "Arn"),
            Code=awslambda.Code(ZipFile=FAILING),
        )
    )
    return template


@pytest.fixture
def watch(aws: EmbeddedAws, deploy_stack: DeployStack, unique: str) -> Callable[..., Watched]:
    def deploy(**parameters: str) -> Watched:
        stage = f"t{unique}"
        function = Function("process", f"shop-{stage}-process", 20, asynchronous=True)
        services = (Service("shop", (function,), None),)
        deploy_stack(f"shop-{stage}", workload(function))
        outputs = deploy_stack(
            naming.stack(stage),
            build.monitoring_template(stage, services),
            {"WorkloadAccountId": WORKLOAD, **parameters},
            account=MONITORING,
        )
        deploy_stack(
            f"monitoring-workload-{stage}",
            build.workload_template(stage, services),
            {
                parameter: outputs[output]
                for parameter, output in build.WORKLOAD_PARAMETERS_FROM_MONITORING.items()
            },
        )
        sqs = aws.client("sqs", MONITORING)
        return Watched(
            aws,
            stage,
            function,
            f"arn:aws:lambda:us-east-1:{WORKLOAD}:function:{function.name}",
            outputs,
            Queue(sqs, outputs["NotificationsQueueUrl"]),
            Queue(sqs, outputs["DeadLetterQueueUrl"]),
        )

    return deploy


def test_a_failing_function_is_told_capped_and_given_back(watch: Callable[..., Watched]) -> None:
    watched = watch(DryRun="false", ConcurrencyCap="1")
    lambda_ = watched.aws.client("lambda")
    lambda_.put_function_concurrency(
        FunctionName=watched.function.name, ReservedConcurrentExecutions=5
    )

    until(lambda: watched.inbox.having(action="cap"), busy=watched.fail)
    (told,) = watched.inbox.having(alarm=watched.alarm, previous_state="OK")
    assert told["state"] == "ALARM"
    assert told["summary"] == f"ALARM since {told['since']}: {watched.alarm}"
    assert f"FunctionName {watched.function.name}, account {WORKLOAD}" in told["description"]
    assert "Threshold Crossed" in told["reason"]
    (done,) = watched.inbox.having(action="cap")
    assert done["summary"] == f"{watched.function.name}: concurrency capped at 1"
    assert (done["function"], done["reserved_before"]) == (watched.arn, 5)
    assert watched.reserved() == 1
    assert watched.tags()[action.TAG] == "5"

    until(lambda: watched.inbox.having(action="restore"))
    (over,) = watched.inbox.having(alarm=watched.alarm, previous_state="ALARM")
    assert over["state"] == "OK"
    assert watched.reserved() == 5
    assert action.TAG not in watched.tags()
    assert watched.dead_letters.messages() == []


def test_a_dry_run_tells_and_does_nothing(watch: Callable[..., Watched]) -> None:
    watched = watch()
    until(lambda: watched.inbox.having(action="cap"), busy=watched.fail)
    (told,) = watched.inbox.having(action="cap")
    assert told["dry_run"] is True
    assert told["summary"].endswith("capped at 1 (dry run, not done)")
    assert watched.reserved() is None
    assert action.TAG not in watched.tags()


def test_an_action_that_fails_is_kept_and_told(watch: Callable[..., Watched]) -> None:
    watched = watch(DryRun="false")
    watched.aws.client("lambda", MONITORING).invoke(
        FunctionName=watched.outputs["ActionFunctionName"],
        InvocationType="Event",
        Payload=json.dumps({"detail": {"alarmName": "no such alarm"}}),
    )
    (kept,) = until(watched.dead_letters.messages)
    assert kept["requestPayload"]["detail"]["alarmName"] == "no such alarm"
    assert kept["responsePayload"]["errorType"] == "KeyError"


def test_an_unread_dead_letter_raises_its_alarm(watch: Callable[..., Watched]) -> None:
    watched = watch()
    watched.aws.client("sqs", MONITORING).send_message(
        QueueUrl=watched.outputs["DeadLetterQueueUrl"], MessageBody="{}"
    )
    name = naming.alarm(watched.stage, "monitoring", "dead_letters", "not-empty")
    (told,) = until(lambda: watched.inbox.having(AlarmName=name, NewStateValue="ALARM"))
    assert told["Trigger"]["MetricName"] == "ApproximateNumberOfMessagesVisible"


def test_a_foreign_account_cannot_link(
    watch: Callable[..., Watched], deploy_stack: DeployStack
) -> None:
    watched = watch()
    services = (Service("shop", (watched.function,), None),)
    parameters = {
        parameter: watched.outputs[output]
        for parameter, output in build.WORKLOAD_PARAMETERS_FROM_MONITORING.items()
    }
    foreign = "333333333333"
    template = build.workload_template(watched.stage, services)
    with pytest.raises(WaiterError):
        deploy_stack(f"foreign-{watched.stage}", template, parameters, account=foreign)
    events = watched.aws.client("cloudformation", foreign).describe_stack_events(
        StackName=f"foreign-{watched.stage}"
    )["StackEvents"]
    reasons = " ".join(event.get("ResourceStatusReason", "") for event in events)
    assert "not authorized to perform: oam:CreateLink" in reasons


@pytest.mark.parametrize("external_id", ["", "the right one"])
def test_an_administrator_of_the_monitoring_account_cannot_act(
    watch: Callable[..., Watched], external_id: str
) -> None:
    watched = watch()
    proof = {"ExternalId": watched.outputs["ExternalId"]} if external_id else {}
    role = f"arn:aws:iam::{WORKLOAD}:role/{naming.action(watched.stage)}"
    with pytest.raises(ClientError, match="AccessDenied"):
        watched.aws.client("sts", MONITORING).assume_role(
            RoleArn=role, RoleSessionName="test", **proof
        )


@pytest.mark.parametrize("broken", ["PutFunctionConcurrency", "UntagResource"])
def test_a_crash_between_two_calls_is_made_good(watch: Callable[..., Watched], broken: str) -> None:
    watched = watch()
    client = watched.aws.client("lambda")
    arn = watched.arn

    def run(state: str) -> str:
        before = watched.tags().get(action.TAG)
        decision = action.decide(state, watched.reserved(), before, 1)
        if decision != "none":
            action.apply(decision, client, arn, watched.reserved(), before, 1)
        return decision

    crashes = []

    def crash(**_: Any) -> None:
        crashes.append(broken)
        raise ConnectionError(broken)

    for state, held in (("ALARM", 1), ("OK", None)):
        client.meta.events.register(f"before-call.lambda.{broken}", crash)
        with contextlib.suppress(ConnectionError):
            run(state)
        client.meta.events.unregister(f"before-call.lambda.{broken}", crash)
        run(state)
        assert watched.reserved() == held
        assert run(state) == "none"
    assert crashes
    assert action.TAG not in watched.tags()
