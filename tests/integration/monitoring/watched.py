"""Both accounts with one function that fails when it is told to, and everything that watches it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from troposphere import GetAtt, Ref, Template, awslambda, iam, sqs

from monitoring import alarms, build, inventory, naming, package, thresholds
from monitoring.inventory import Service
from sandbox.emulator import ALARM_PERIOD_SCALE
from sandbox.tour import timeline

if TYPE_CHECKING:
    from tests.conftest import DeployStack, EmbeddedAws

WORKLOAD = "111111111111"
MONITORING = "222222222222"
THIRD = "333333333333"

# Alarm periods are shorter in the embedded AWS; a cold function and a shared machine are slow.
PATIENCE = 60.0

FAILING = """
import os

def handler(event, context):
    if event.get("fail") and os.environ["HEALTHY"] != "true":
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


class Inbox:
    """What a queue has delivered so far."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url
        self._messages: list[dict[str, Any]] = []

    def messages(self) -> list[dict[str, Any]]:
        while received := self._client.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in received:
                body = json.loads(message["Body"])
                # A notification of SNS wraps its message.
                self._messages.append(json.loads(body["Message"]) if "Message" in body else body)
            self._client.delete_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(received)
                ],
            )
        return self._messages

    def having(self, **fields: Any) -> list[dict[str, Any]]:
        return [message for message in self.messages() if fields.items() <= message.items()]


@dataclass
class Watched:
    """Both accounts, with the service `shop` that is watched."""

    aws: EmbeddedAws
    stage: str
    service: Service
    outputs: dict[str, str]
    inbox: Inbox
    dead_letters: Inbox

    @property
    def function(self) -> inventory.Function:
        return self.service.functions[0]

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:us-east-1:{WORKLOAD}:function:{self.function.name}"

    @property
    def alarm(self) -> str:
        return naming.alarm(self.stage, "shop", self.function.key, "error-rate")

    def composite(self, severity: str) -> str:
        return naming.composite(self.stage, "shop", severity)

    def fail(self) -> None:
        try:
            self.aws.client("lambda").invoke(
                FunctionName=self.function.name, Payload=b'{"fail": true}'
            )
        except ClientError as error:
            # Once capped, calls made at the same time are throttled.
            if error.response["Error"]["Code"] != "TooManyRequestsException":
                raise

    def heal(self) -> None:
        self.aws.client("lambda").update_function_configuration(
            FunctionName=self.function.name, Environment={"Variables": {"HEALTHY": "true"}}
        )

    def reserved(self) -> int | None:
        answer = self.aws.client("lambda").get_function_concurrency(FunctionName=self.function.name)
        value: int | None = answer.get("ReservedConcurrentExecutions")
        return value

    def state(self, alarm: str) -> str:
        answer = self.aws.client("cloudwatch", MONITORING).describe_alarms(
            AlarmNames=[alarm], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        (found,) = answer["MetricAlarms"] + answer["CompositeAlarms"]
        return str(found["StateValue"])

    def put(self, namespace: str, metric: str, dimensions: dict[str, str], account: str) -> None:
        """Put the value 1 of a metric."""
        self.aws.client("cloudwatch", account).put_metric_data(
            Namespace=namespace,
            MetricData=[
                {
                    "MetricName": metric,
                    "Value": 1,
                    "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
                }
            ],
        )

    def timeline(self) -> timeline.Stage:
        """What is compared with the simulator: the service's critical alarms."""
        document = build.monitoring_template(self.stage, (self.service,), thresholds.load())
        return timeline.Stage(
            name=self.stage,
            client=lambda service: self.aws.client(service, MONITORING),
            body=document.to_dict(),
            workload_account=WORKLOAD,
            faster=int(ALARM_PERIOD_SCALE),
            alarms=tuple(
                alarm.name(self.stage)
                for alarm in alarms.of(self.service, thresholds.load())
                if alarm.severity == "critical"
            ),
            composite=self.composite("critical"),
            # Here only the periods of alarms pass faster, not the patience of actions.
            parameters={
                "DryRun": "false",
                "CoolDownSeconds": "0",
                "PatienceSeconds": str(900 * int(ALARM_PERIOD_SCALE)),
            },
        )

    def workload_parameters(self) -> dict[str, str]:
        return {
            parameter: self.outputs[output]
            for parameter, output in build.WORKLOAD_PARAMETERS_FROM_MONITORING.items()
        }


def workload(stack: str, name: str) -> Template:
    """One function that fails when it is told to, and the queue of the events it failed on."""
    template = Template()
    queue = template.add_resource(sqs.Queue("Failures", QueueName=f"{stack}-failures"))
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
            Policies=[
                iam.Policy(
                    PolicyName="failures",
                    PolicyDocument={
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": "sqs:SendMessage",
                                "Resource": GetAtt(queue, "Arn"),
                            }
                        ],
                    },
                )
            ],
        )
    )
    template.add_resource(
        awslambda.Function(
            "Process",
            FunctionName=name,
            Runtime="python3.11",
            Handler="index.handler",
            Timeout=20,
            Role=GetAtt("Role", "Arn"),
            Code=awslambda.Code(ZipFile=FAILING),
            Environment=awslambda.Environment(Variables={"HEALTHY": "false"}),
        )
    )
    template.add_resource(
        awslambda.Permission(
            "Permission",
            Action="lambda:InvokeFunction",
            FunctionName=Ref("Process"),
            Principal="s3.amazonaws.com",
        )
    )
    template.add_resource(
        awslambda.EventInvokeConfig(
            "InvokeConfig",
            FunctionName=Ref("Process"),
            Qualifier="$LATEST",
            MaximumRetryAttempts=0,
            DestinationConfig=awslambda.DestinationConfig(
                OnFailure=awslambda.OnFailure(Destination=GetAtt(queue, "Arn"))
            ),
        )
    )
    return template


def deploy(aws: EmbeddedAws, deploy_stack: DeployStack, stage: str, **parameters: str) -> Watched:
    """Deploy the service, and both monitoring stacks on what the inventory finds in it."""
    stack = f"shop-{stage}"
    template = workload(stack, f"{stack}-process")
    service = inventory.with_template(Service("shop", owner="shop-team"), template.to_dict(), stack)
    deploy_stack(stack, template)
    bucket = f"artifacts-{stage}"
    s3 = aws.client("s3", MONITORING)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=package.key(), Body=package.archive())
    outputs = deploy_stack(
        naming.stack(stage),
        build.monitoring_template(stage, (service,), thresholds.load()),
        {
            "WorkloadAccountId": WORKLOAD,
            "ArtifactBucket": bucket,
            "PatienceSeconds": "3",
            "CoolDownSeconds": "0",
            **parameters,
        },
        account=MONITORING,
    )
    client = aws.client("sqs", MONITORING)
    watched = Watched(
        aws,
        stage,
        service,
        outputs,
        Inbox(client, outputs["NotificationsQueueUrl"]),
        Inbox(client, outputs["DeadLetterQueueUrl"]),
    )
    deploy_stack(
        naming.workload_stack(stage),
        build.workload_template(stage, (service,)),
        watched.workload_parameters(),
    )
    return watched
