"""A function fails in the workload account: alarm, rule, notification, action, recovery."""

from __future__ import annotations

import contextlib
import io
import json
import math
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from monitoring import build, naming
from monitoring.actions.cap import Cap
from monitoring.actions.engine import Limits, Run, run
from monitoring.actions.entries import Entry
from monitoring.actions.ledger import Ledger
from sandbox.tour import timeline
from sandbox.tour.timeline import Timeline, Told
from tests.integration.endpoint import Endpoint, endpoint
from tests.integration.monitoring import watched as deployment
from tests.integration.monitoring.watched import (
    MONITORING,
    THIRD,
    WORKLOAD,
    Inbox,
    Watched,
    until,
)

if TYPE_CHECKING:
    from tests.conftest import DeployStack, EmbeddedAws


@pytest.fixture
def watch(aws: EmbeddedAws, deploy_stack: DeployStack, unique: str) -> Callable[..., Watched]:
    return lambda **parameters: deployment.deploy(aws, deploy_stack, f"t{unique}", **parameters)


def test_a_failing_function_is_told_capped_given_back_and_its_events_sent_again(
    watch: Callable[..., Watched],
) -> None:
    watched = watch(DryRun="false", ConcurrencyCap="1", PatienceSeconds="900")
    lambda_ = watched.aws.client("lambda")
    lambda_.put_function_concurrency(
        FunctionName=watched.function.name, ReservedConcurrentExecutions=5
    )
    # An event that fails for good waits in the failure queue.
    lambda_.invoke(
        FunctionName=watched.function.name, InvocationType="Event", Payload=b'{"fail": true}'
    )

    until(lambda: watched.inbox.having(action="cap", event="begin"), busy=watched.fail)
    kept, *_ = watched.inbox.having(alarm=watched.alarm, state="ALARM", previous_state="OK")
    assert kept["summary"] == f"ALARM since {kept['since']}: {watched.alarm}"
    assert f"FunctionName {watched.function.name}, account {WORKLOAD}" in kept["description"]
    assert kept["description"].endswith("Runbook: docs/runbooks/error-rate.md")
    told, *_ = until(lambda: watched.inbox.having(severity="critical", state="ALARM"))
    assert told["alarm"] == watched.composite("critical")
    assert (told["service"], told["owner"]) == ("shop", "shop-team")
    assert told["runbook"] == "docs/runbooks/service-shop.md"
    done, *_ = watched.inbox.having(action="cap", event="begin")
    assert done["summary"] == f"{watched.function.name}: concurrency capped at 1"
    assert (done["target"], done["remembered"]) == (watched.arn, {"before": "5"})
    assert watched.reserved() == 1
    opened, *_ = until(lambda: watched.inbox.having(action="incident", event="begin"))
    assert opened["summary"].startswith("shop: incident opened: ")

    watched.heal()
    until(lambda: watched.inbox.having(action="cap", event="finish"))
    assert watched.reserved() == 5
    again, *_ = until(lambda: watched.inbox.having(action="redrive", event="begin"))
    assert again["summary"] == f"{watched.function.name}: 1 failed events sent again, 0 left"
    until(lambda: watched.inbox.having(severity="critical", state="OK", previous_state="ALARM"))
    until(lambda: watched.inbox.having(action="incident", event="finish"))
    ledger = Ledger(watched.aws.client("dynamodb", MONITORING), watched.outputs["ActionsTableName"])
    lines = ledger.lines(f"shop#{opened['since']}")
    assert "incident opened" in lines[0]
    assert "incident closed" in lines[-1]
    assert watched.dead_letters.messages() == []


def test_the_simulator_says_what_happened(watch: Callable[..., Watched]) -> None:
    watched = watch(DryRun="false", PatienceSeconds="900")
    stage = watched.timeline()
    until(lambda: stage.settled(time.time()))
    start = math.ceil(time.time() / stage.period) * stage.period
    until(lambda: watched.inbox.having(action="cap", event="begin"), busy=watched.fail)
    watched.heal()
    until(lambda: watched.state(watched.alarm) == "OK")
    seen = stage.observed(start, math.inf, ())
    end = max(change.period for change in seen.changes if change.period) + stage.period

    said, _ = stage.simulated(start, end)
    happened = [
        (change.old, change.new) for change in said.changes if change.alarm == watched.alarm
    ]
    assert happened[0] == ("OK", "ALARM")
    assert happened[-1] == ("ALARM", "OK")
    assert ("cap", "begin") in said.actions
    assert Told(watched.composite("critical"), "OK", "ALARM", "critical") in said.told

    def observed() -> Timeline:
        return stage.observed(start, end, watched.inbox.messages())

    with contextlib.suppress(AssertionError):
        until(lambda: timeline.missing(observed(), said) is None)
    assert timeline.missing(observed(), said) is None
    assert timeline.unexpected(observed(), said) is None


def test_a_dry_run_tells_and_does_nothing(watch: Callable[..., Watched]) -> None:
    watched = watch()
    until(lambda: watched.inbox.having(action="cap"), busy=watched.fail)
    told, *_ = watched.inbox.having(action="cap")
    assert told["dry_run"] is True
    assert told["summary"].endswith("capped at 1 (dry run, not done)")
    assert watched.reserved() is None


def test_an_action_that_does_not_help_stops_by_itself(watch: Callable[..., Watched]) -> None:
    watched = watch(DryRun="false", PatienceSeconds="2", CoolDownSeconds="600")
    (stopped,) = until(lambda: watched.inbox.having(action="cap", event="stop"), busy=watched.fail)
    name = watched.function.name
    assert stopped["summary"] == f"{name}: the cap did not help; {name}: concurrency given back"
    assert watched.reserved() is None


def test_during_maintenance_nobody_is_told_and_afterwards_what_is_left(
    watch: Callable[..., Watched],
) -> None:
    watched = watch()
    window = {"Service": "shop", "Stage": watched.stage}
    closed = threading.Event()

    def hold_open() -> None:
        while not closed.wait(0.3):
            watched.put("Monitoring/Maintenance", "Window", window, MONITORING)

    holding = threading.Thread(target=hold_open)
    holding.start()
    try:
        name = naming.maintenance(watched.stage, "shop")
        until(lambda: watched.state(name) == "ALARM")
        until(lambda: watched.state(watched.composite("critical")) == "ALARM", busy=watched.fail)
        until(lambda: watched.inbox.having(alarm=watched.composite("critical"), state="ALARM"))
        assert watched.inbox.having(severity="critical", state="ALARM") == []
    finally:
        closed.set()
        holding.join()
    reminded = until(lambda: watched.inbox.having(action="remind"), busy=watched.fail)
    assert reminded[0]["alarms"] == [watched.composite("critical")]


def test_a_storm_of_500_alarms_in_a_minute_loses_nothing_and_keeps_the_budget(
    watch: Callable[..., Watched],
) -> None:
    watched = watch(DryRun="false", CapBudget="1", PatienceSeconds="900")
    until(lambda: watched.state(watched.alarm) == "ALARM", busy=watched.fail)
    until(lambda: watched.inbox.having(action="cap"))
    queue = watched.aws.client("sqs", MONITORING)
    message = {
        "action": "cap",
        "alarm": watched.alarm,
        "service": "shop",
        "function": watched.arn,
    }
    started = time.monotonic()
    for _ in range(50):
        queue.send_message_batch(
            QueueUrl=watched.outputs["ActionsQueueUrl"],
            Entries=[
                {"Id": str(number), "MessageBody": json.dumps(message)} for number in range(10)
            ],
        )
    assert time.monotonic() - started < 60

    def handled() -> bool:
        attributes = queue.get_queue_attributes(
            QueueUrl=watched.outputs["ActionsQueueUrl"], AttributeNames=["All"]
        )["Attributes"]
        waiting = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return all(int(attributes[name]) == 0 for name in waiting)

    until(handled)
    assert len(watched.inbox.having(action="cap", event="begin")) == 1
    assert watched.dead_letters.messages() == []


def test_an_action_that_fails_is_kept_and_told(watch: Callable[..., Watched]) -> None:
    watched = watch(DryRun="false")
    queue = watched.aws.client("sqs", MONITORING)
    url = watched.outputs["ActionsQueueUrl"]
    # An hour between two tries is too long for a test.
    queue.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "0"})
    message = {"action": "cap", "alarm": "no such alarm", "service": "shop", "function": "f"}
    queue.send_message(QueueUrl=url, MessageBody=json.dumps(message))
    (kept,) = until(watched.dead_letters.messages)
    assert kept == message


def test_an_unread_dead_letter_raises_its_alarm(watch: Callable[..., Watched]) -> None:
    watched = watch()
    watched.aws.client("sqs", MONITORING).send_message(
        QueueUrl=watched.outputs["DeadLetterQueueUrl"], MessageBody="{}"
    )
    name = naming.alarm(watched.stage, "monitoring", "DeadLetters", "not-empty")
    told, *_ = until(lambda: watched.inbox.having(AlarmName=name, NewStateValue="ALARM"))
    assert "Severity: critical. Owner: platform-team." in told["AlarmDescription"]


def test_an_endpoint_that_fails_for_a_while_misses_nothing(
    watch: Callable[..., Watched], tmp_path: Path
) -> None:
    with endpoint(tmp_path) as listening:
        failed: list[str] = []

        def twice_busy(message: dict[str, Any]) -> int:
            failed.append(message["MessageId"])
            return 503 if failed.count(message["MessageId"]) <= 2 else 200

        listening.status = twice_busy
        watched = watch(AlertHttpsEndpoint=listening.url, DryRun="false")
        assert listening.confirmed.wait(60)
        until(lambda: watched.inbox.having(severity="critical", state="ALARM"), busy=watched.fail)
        # Nobody waits for the endpoint meanwhile.
        until(lambda: watched.inbox.having(action="cap", event="begin"), busy=watched.fail)
        watched.heal()
        until(lambda: watched.inbox.having(severity="critical", state="OK"))

        def sent() -> list[str]:
            told = watched.inbox.having(severity="critical", service="shop")
            return sorted(message["summary"] for message in told)

        until(lambda: sorted(summaries(listening)) == sent())
        assert all(failed.count(taken["MessageId"]) == 3 for taken in listening.taken)
        assert watched.dead_letters.messages() == []


def summaries(listening: Endpoint) -> list[str]:
    """What the endpoint was told of the service; monitoring may tell of itself meanwhile."""
    messages = [json.loads(taken["Message"]) for taken in listening.taken]
    return [str(each["summary"]) for each in messages if each.get("service") == "shop"]


def test_what_an_endpoint_refuses_is_kept_and_that_is_told(
    watch: Callable[..., Watched], tmp_path: Path
) -> None:
    with endpoint(tmp_path) as listening:
        listening.status = lambda _message: 403
        watched = watch(AlertHttpsEndpoint=listening.url)
        assert listening.confirmed.wait(60)
        name = naming.alarm(watched.stage, "monitoring", "DeadLetters", "not-empty")
        # By SQS, which is another subscription: a broken endpoint cannot hide that it is broken.
        until(
            lambda: watched.inbox.having(AlarmName=name, NewStateValue="ALARM"), busy=watched.fail
        )
        told, *_ = watched.inbox.having(severity="critical", service="shop", state="ALARM")
        kept = until(watched.dead_letters.messages)
        assert told["summary"] in [message.get("summary") for message in kept]


def test_a_throttled_action_is_done_later(watch: Callable[..., Watched]) -> None:
    watched = watch(DryRun="false")
    lambda_ = watched.aws.client("lambda", MONITORING)
    name = watched.outputs["ActionFunctionName"]
    lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    watched.aws.client("sqs", MONITORING).set_queue_attributes(
        QueueUrl=watched.outputs["ActionsQueueUrl"], Attributes={"VisibilityTimeout": "1"}
    )
    until(lambda: watched.inbox.having(severity="critical", state="ALARM"), busy=watched.fail)
    assert watched.inbox.having(action="cap") == []
    lambda_.delete_function_concurrency(FunctionName=name)
    until(lambda: watched.inbox.having(action="cap", event="begin"), busy=watched.fail)


class TestAThirdAccount:
    """What an account that is not listed tries."""

    def test_it_cannot_link_to_the_sink(
        self, watch: Callable[..., Watched], deploy_stack: DeployStack
    ) -> None:
        watched = watch()
        template = build.workload_template(watched.stage, (watched.service,))
        name = f"foreign-{watched.stage}"
        with pytest.raises(WaiterError):
            deploy_stack(name, template, watched.workload_parameters(), account=THIRD)
        events = watched.aws.client("cloudformation", THIRD).describe_stack_events(StackName=name)
        reasons = " ".join(event.get("ResourceStatusReason", "") for event in events["StackEvents"])
        assert "not authorized to perform: oam:CreateLink" in reasons

    def test_it_cannot_put_events_and_the_workload_account_no_others(
        self, watch: Callable[..., Watched]
    ) -> None:
        watched = watch()
        entry = {
            "Source": "shop",
            "DetailType": "CloudWatch Alarm State Change",
            "Detail": json.dumps({"alarmName": watched.alarm}),
            "EventBusName": watched.outputs["EventBusArn"],
        }
        for account in (THIRD, WORKLOAD):
            answer = watched.aws.client("events", account).put_events(Entries=[entry])
            assert answer["FailedEntryCount"] == 1
            assert answer["Entries"][0]["ErrorCode"] == "AccessDeniedException"
        # No account may put events in the name of AWS; its own rules forward those.
        as_aws = {**entry, "Source": "aws.health", "DetailType": "AWS Health Event"}
        answer = watched.aws.client("events", THIRD).put_events(Entries=[as_aws])
        assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
        assert watched.inbox.having(forwarded="ROLLBACK_COMPLETE") == []

    @pytest.mark.parametrize("external_id", ["", "the right one"])
    @pytest.mark.parametrize("account", [THIRD, MONITORING])
    def test_nobody_but_the_actions_can_assume_the_role(
        self, watch: Callable[..., Watched], account: str, external_id: str
    ) -> None:
        watched = watch()
        proof = {"ExternalId": watched.outputs["ExternalId"]} if external_id else {}
        role = f"arn:aws:iam::{WORKLOAD}:role/{naming.action(watched.stage)}"
        with pytest.raises(ClientError, match="AccessDenied"):
            watched.aws.client("sts", account).assume_role(
                RoleArn=role, RoleSessionName="test", **proof
            )


TRIES = """
import os
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    own = boto3.Session()
    lent = own
    if event.get("role"):
        answer = own.client("sts").assume_role(
            RoleArn=event["role"], RoleSessionName="test", ExternalId=event["external_id"]
        )["Credentials"]
        lent = boto3.Session(
            answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"],
            region_name=os.environ["AWS_REGION"],
        )
    told = {}
    for name, service, call, arguments in event["calls"]:
        try:
            getattr(lent.client(service), call)(**arguments)
            told[name] = "allowed"
        except ClientError as error:
            told[name] = error.response["Error"]["Code"]
    return told
"""


@pytest.fixture
def as_the_actions(aws: EmbeddedAws, unique: str) -> Iterator[Callable[..., dict[str, bool]]]:
    """Tries calls with the role of the actions' function, or with the role it assumes.

    Tells which are allowed; what is not has to be refused for that reason.
    """
    client = aws.client("lambda", MONITORING)
    name = f"tries-{unique}"

    def attempt(watched: Watched, calls: list[list[Any]], **event: str) -> dict[str, bool]:
        with contextlib.suppress(client.exceptions.ResourceConflictException):
            client.create_function(
                FunctionName=name,
                Role=watched.outputs["ActionRoleArn"],
                Runtime="python3.11",
                Handler="index.handler",
                Timeout=60,
                Code={"ZipFile": zipped(TRIES)},
            )
        answer = client.invoke(
            FunctionName=name, Payload=json.dumps({"calls": calls, **event}).encode()
        )
        told = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, told
        refused = {code for code in told.values() if code != "allowed"}
        assert refused <= {"AccessDenied", "AccessDeniedException", "AuthorizationError"}, told
        return {call: outcome == "allowed" for call, outcome in told.items()}

    yield attempt
    client.delete_function(FunctionName=name)


def zipped(source: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", source)
    return archive.getvalue()


class TestTheMonitoringAccount:
    """What it may read and do, and no more."""

    def test_the_role_that_is_lent_allows_the_actions_alone(
        self,
        watch: Callable[..., Watched],
        as_the_actions: Callable[..., dict[str, bool]],
        unique: str,
    ) -> None:
        watched = watch()
        workload = watched.aws.client("sqs")
        failures = workload.get_queue_url(QueueName=watched.service.queues[0].name)["QueueUrl"]
        other = workload.create_queue(QueueName=f"other-{unique}")["QueueUrl"]
        function = {"FunctionName": watched.function.name}
        foreign = {"FunctionName": f"other-{unique}"}
        capped = {"ReservedConcurrentExecutions": 1}
        told = as_the_actions(
            watched,
            [
                ["cap", "lambda", "put_function_concurrency", {**function, **capped}],
                ["see the cap", "lambda", "get_function_concurrency", function],
                ["give back", "lambda", "delete_function_concurrency", function],
                ["take a failed event", "sqs", "receive_message", {"QueueUrl": failures}],
                ["send again", "lambda", "invoke", {**function, "Payload": "{}"}],
                ["cap another", "lambda", "put_function_concurrency", {**foreign, **capped}],
                ["invoke another", "lambda", "invoke", foreign],
                ["read the code", "lambda", "get_function", function],
                ["read variables", "lambda", "get_function_configuration", function],
                ["change variables", "lambda", "update_function_configuration", function],
                ["delete it", "lambda", "delete_function", function],
                ["take from another", "sqs", "receive_message", {"QueueUrl": other}],
                ["empty the queue", "sqs", "purge_queue", {"QueueUrl": failures}],
                ["list buckets", "s3", "list_buckets", {}],
                ["list tables", "dynamodb", "list_tables", {}],
                ["make a user", "iam", "create_user", {"UserName": f"u{unique}"}],
            ],
            role=f"arn:aws:iam::{WORKLOAD}:role/{naming.action(watched.stage)}",
            external_id=watched.outputs["ExternalId"],
        )
        assert [call for call, allowed in told.items() if allowed] == [
            "cap",
            "see the cap",
            "give back",
            "take a failed event",
            "send again",
        ]

    def test_the_actions_own_role_allows_nothing_else_at_home(
        self,
        watch: Callable[..., Watched],
        as_the_actions: Callable[..., dict[str, bool]],
        unique: str,
    ) -> None:
        watched = watch()
        table = {"TableName": watched.outputs["ActionsTableName"]}
        inbox = {"QueueUrl": watched.outputs["NotificationsQueueUrl"]}
        topic = {"TopicArn": watched.outputs["WarningTopicArn"], "Message": "{}"}
        told = as_the_actions(
            watched,
            [
                ["look at alarms", "cloudwatch", "describe_alarms", {}],
                ["remember", "dynamodb", "get_item", {**table, "Key": {"id": {"S": "x"}}}],
                ["tell", "sns", "publish", topic],
                [
                    "wake people",
                    "sns",
                    "publish",
                    {**topic, "TopicArn": topic["TopicArn"].replace("warning", "critical")},
                ],
                ["forget", "dynamodb", "delete_item", {**table, "Key": {"id": {"S": "x"}}}],
                ["read it all", "dynamodb", "scan", table],
                ["read the inbox", "sqs", "receive_message", inbox],
                ["silence", "cloudwatch", "disable_alarm_actions", {"AlarmNames": ["x"]}],
                [
                    "fake metrics",
                    "cloudwatch",
                    "put_metric_data",
                    {"Namespace": "x", "MetricData": [{"MetricName": "x", "Value": 1}]},
                ],
                ["change a rule", "events", "disable_rule", {"Name": "x"}],
                [
                    "assume another",
                    "sts",
                    "assume_role",
                    {
                        "RoleArn": f"arn:aws:iam::{WORKLOAD}:role/other-{unique}",
                        "RoleSessionName": "test",
                    },
                ],
            ],
        )
        assert [call for call, allowed in told.items() if allowed] == [
            "look at alarms",
            "remember",
            "tell",
        ]

    def test_it_reads_the_shared_metrics_alone(
        self, watch: Callable[..., Watched], unique: str
    ) -> None:
        watched = watch()
        function = {"FunctionName": watched.function.name}
        watched.put("AWS/Lambda", "Invocations", function, WORKLOAD)
        watched.put(f"Secret{unique}", "Orders", function, WORKLOAD)

        def values(namespace: str, metric: str, account: str) -> list[float]:
            now = datetime.now(UTC)
            dimensions = [{"Name": name, "Value": value} for name, value in function.items()]
            answer = watched.aws.client("cloudwatch", account).get_metric_data(
                StartTime=now - timedelta(minutes=5),
                EndTime=now + timedelta(minutes=1),
                MetricDataQueries=[
                    {
                        "Id": "m",
                        "AccountId": WORKLOAD,
                        "MetricStat": {
                            "Metric": {
                                "Namespace": namespace,
                                "MetricName": metric,
                                "Dimensions": dimensions,
                            },
                            "Period": 60,
                            "Stat": "Sum",
                        },
                    }
                ],
            )
            return list(answer["MetricDataResults"][0]["Values"])

        assert sum(values("AWS/Lambda", "Invocations", MONITORING)) == 1
        assert values(f"Secret{unique}", "Orders", MONITORING) == []
        assert values("AWS/Lambda", "Invocations", THIRD) == []

    def test_its_administrator_has_nothing_in_the_workload_account(
        self, watch: Callable[..., Watched]
    ) -> None:
        watched = watch()
        url = watched.aws.client("sqs").get_queue_url(QueueName=watched.service.queues[0].name)
        for account in (MONITORING, THIRD):
            with pytest.raises(ClientError):
                watched.aws.client("lambda", account).get_function(FunctionName=watched.arn)
            with pytest.raises(ClientError):
                watched.aws.client("sqs", account).receive_message(QueueUrl=url["QueueUrl"])


@pytest.mark.parametrize("broken", ["PutFunctionConcurrency", "DeleteFunctionConcurrency"])
def test_a_crash_between_two_calls_is_made_good(watch: Callable[..., Watched], broken: str) -> None:
    watched = watch()
    client = watched.aws.client("lambda")
    ledger = Ledger(watched.aws.client("dynamodb", MONITORING), watched.outputs["ActionsTableName"])
    limits = Limits(cool_down=0, budget=5, patience=1, dry_run=False)
    looked: list[Entry] = []

    def act(state: str) -> dict[str, Any] | None:
        what = Run("cap", watched.arn, watched.alarm, state, int(time.time()))
        return run(what, Cap(client, watched.arn, 1), ledger, limits, looked.append)

    crashes = []

    def crash(**_: Any) -> None:
        crashes.append(broken)
        raise ConnectionError(broken)

    for state, held in (("ALARM", 1), ("OK", None)):
        client.meta.events.register(f"before-call.lambda.{broken}", crash)
        with contextlib.suppress(ConnectionError):
            act(state)
        client.meta.events.unregister(f"before-call.lambda.{broken}", crash)
        act(state)
        assert watched.reserved() == held
        assert act(state) is None
    assert crashes


def test_the_inbox_keeps_every_alarm(watch: Callable[..., Watched]) -> None:
    watched = watch()
    sent = Inbox(watched.aws.client("sqs", MONITORING), watched.outputs["NotificationsQueueUrl"])
    names = [f"{naming.alarm_prefix(watched.stage)}shop/storm/{number}" for number in range(500)]
    cloudwatch = watched.aws.client("cloudwatch", MONITORING)
    for name in names:
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="Storm",
            MetricName="m",
            Statistic="Sum",
            Period=86400,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="ignore",
        )
    started = time.monotonic()
    for name in names:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a storm")
    assert time.monotonic() - started < 60
    until(
        lambda: (
            {message["alarm"] for message in sent.having(state="ALARM", reason="a storm")}
            == set(names)
        )
    )
    cloudwatch.delete_alarms(AlarmNames=names[:100])
    for start in range(100, 500, 100):
        cloudwatch.delete_alarms(AlarmNames=names[start : start + 100])
