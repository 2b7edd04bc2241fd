"""A function is broken by configuration: the other account alarms, tells, acts, and recovers."""

from __future__ import annotations

import contextlib
import json
import math
import time
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.photograph import photograph
from monitoring.semantics import composite_rules
from sandbox.emulator import ALARM_PERIOD_SCALE
from sandbox.environment import MONITORING_ACCOUNT, WORKLOAD_ACCOUNT
from sandbox.parts import STAGE
from sandbox.tour import timeline
from sandbox.tour.report import StepFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sandbox.tour.context import Context
    from sandbox.tour.report import Report

STACK = f"monitoring-{STAGE}"
FUNCTION = f"image_api-{STAGE}-process"
ALARM = f"{STACK}/image_api/process/error-rate"
COMPOSITE = f"{STACK}/image_api/critical"
PAUSE_BETWEEN_UPLOADS = 0.2


def tour(context: Context, report: Report) -> None:
    """Break `process`, watch alarm → rule → notification and action, repair it, watch again."""
    queue = _Notifications(context)
    stage = _stage(context)
    with report.step("monitoring: the service is well before anything is broken") as step:
        step.wait("the end of earlier alarms", lambda: _well(stage), timeout=240)
        step.evidence("composite", f"{COMPOSITE} in {MONITORING_ACCOUNT} is OK")
    queue.discard()
    began = math.ceil(time.time() / stage.period) * stage.period
    with _broken_destination(context) as repair:
        with report.step(
            "monitoring: a function fails; the other account's alarm goes off"
        ) as step:
            step.evidence("broken", f"{FUNCTION} in {WORKLOAD_ACCOUNT} writes to a missing bucket")
            started = time.monotonic()
            alarm = step.wait("the alarm", _uploads_until_alarm(context, "ALARM"), timeout=180)
            step.evidence("alarm", f"{ALARM} in {MONITORING_ACCOUNT}")
            step.evidence(
                "ALARM", f"after {time.monotonic() - started:.1f} s: {alarm['StateReason']}"
            )

        with report.step("monitoring: the rule delivers a notification") as step:
            told = step.wait(
                "the notification",
                _while_uploading(
                    context, queue.finder(alarm=COMPOSITE, state="ALARM", severity="critical")
                ),
                timeout=90,
            )
            step.evidence("delivered", told["summary"])
            step.evidence("reason", told["reason"])
            step.evidence("runbook", told["runbook"])

        with report.step("monitoring: the actions note an incident, cap the function") as step:
            noted = step.wait(
                "the incident note", queue.finder(action="incident", event="begin"), timeout=90
            )
            step.evidence("recorded", noted["summary"])
            acted = step.wait(
                "the action's record",
                _while_uploading(context, queue.finder(action="cap", event="begin")),
                timeout=90,
            )
            step.evidence("recorded", acted["summary"])
            capped = _reserved_concurrency(context)
            step.evidence("concurrency", f"{FUNCTION} is reserved {capped}")
            step.check(capped is not None, "the function is not capped")

        repair()
        with report.step("monitoring: repaired, it recovers by itself") as step:
            step.evidence("repaired", f"{FUNCTION} writes to its bucket again")
            started = time.monotonic()
            step.wait("the alarm to clear", lambda: _alarm(context, "OK"), timeout=120)
            step.evidence("OK", f"after {time.monotonic() - started:.1f} s")
            kept = step.wait(
                "the record", queue.finder(alarm=ALARM, state="OK", severity=None), timeout=90
            )
            step.evidence("recorded", kept["summary"])
            acted = step.wait(
                "the action's record", queue.finder(action="cap", event="finish"), timeout=90
            )
            step.evidence("recorded", acted["summary"])
            step.check(_reserved_concurrency(context) is None, "the function is still capped")

        with report.step("monitoring: the simulator says the same of the recorded metrics") as step:
            seen = stage.observed(began, math.inf, ())
            periods = [change.period for change in seen.changes if change.alarm == ALARM]
            step.check(any(periods), f"no change of {ALARM} is in its history")
            end = max(period for period in periods if period) + stage.period
            said, result = stage.simulated(began, end)

            def agrees() -> bool | None:
                seen = stage.observed(began, end, queue.everything())
                return True if timeline.missing(seen, said) is None else None

            with contextlib.suppress(StepFailure):
                step.wait("what is still on its way", agrees, timeout=180)
            seen = stage.observed(began, end, queue.everything())
            for number, line in enumerate(timeline.lines(result, stage, began)):
                step.evidence("simulated" if number == 0 else "", line)
            for difference in (timeline.missing(seen, said), timeline.unexpected(seen, said)):
                step.check(difference is None, str(difference))
            step.evidence("seen", f"the same {len(said.changes)} changes, by the same periods")
            step.evidence("seen", f"the same {len(said.told)} messages, {_named(said.actions)}")


def _named(actions: Iterable[tuple[str, str]]) -> str:
    return ", ".join(" ".join(action) for action in sorted(actions))


def _stage(context: Context) -> timeline.Stage:
    """What is compared with the simulator: the critical alarms of image_api."""
    client = context.client("cloudformation", MONITORING_ACCOUNT)
    body = client.get_template(StackName=STACK)["TemplateBody"]
    body = json.loads(body) if isinstance(body, str) else body
    stack = client.describe_stacks(StackName=STACK)["Stacks"][0]
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    # Here only the periods of alarms pass faster, not the patience of actions.
    patience = int(parameters["PatienceSeconds"]) * int(ALARM_PERIOD_SCALE)
    cloudwatch = context.client("cloudwatch", MONITORING_ACCOUNT)
    described = cloudwatch.describe_alarms(AlarmNames=[COMPOSITE], AlarmTypes=["CompositeAlarm"])
    return timeline.Stage(
        name=STAGE,
        client=lambda service: context.client(service, MONITORING_ACCOUNT),
        body=body,
        workload_account=WORKLOAD_ACCOUNT,
        faster=int(ALARM_PERIOD_SCALE),
        alarms=tuple(composite_rules.children(described["CompositeAlarms"][0]["AlarmRule"])),
        composite=COMPOSITE,
        parameters={**parameters, "PatienceSeconds": str(patience)},
    )


class _Notifications:
    """The queue that the monitoring account's topic delivers to."""

    def __init__(self, context: Context) -> None:
        self._client = context.client("sqs", MONITORING_ACCOUNT)
        self._url = context.outputs(STACK, MONITORING_ACCOUNT)["NotificationsQueueUrl"]
        self._read: list[dict[str, Any]] = []
        self._all: list[dict[str, Any]] = []

    def discard(self) -> None:
        """Forget what is there: it is about earlier things."""
        self._client.purge_queue(QueueUrl=self._url)

    def finder(self, **members: str | None) -> Any:
        """A function that gives the first notification with these members, once it is there.

        A member that is to be absent is None.
        """

        def find() -> dict[str, Any] | None:
            self._receive()
            for notification in self._read:
                if all(notification.get(name) == value for name, value in members.items()):
                    self._read.remove(notification)
                    return notification
            return None

        return find

    def everything(self) -> list[dict[str, Any]]:
        """Every notification since the others were discarded."""
        self._receive()
        return self._all

    def _receive(self) -> None:
        received = self._client.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        for message in received.get("Messages", []):
            body = json.loads(message["Body"])
            # A topic wraps its message; the rule that records every change does not.
            notification = json.loads(body["Message"]) if "Message" in body else body
            self._read.append(notification)
            self._all.append(notification)
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])


@contextlib.contextmanager
def _broken_destination(context: Context) -> Iterator[Any]:
    """`process` with a destination bucket that does not exist; gives the function that repairs."""
    client = context.client("lambda")
    right = client.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]

    def set_variables(variables: dict[str, str]) -> None:
        client.update_function_configuration(
            FunctionName=FUNCTION, Environment={"Variables": variables}
        )

    set_variables(right | {"DESTINATION_BUCKET": "missing-" + right["DESTINATION_BUCKET"][:40]})
    try:
        yield lambda: set_variables(right)
    finally:
        set_variables(right)


def _uploads_until_alarm(context: Context, state: str) -> Any:
    """A function that uploads one more picture and then looks at the alarm."""
    return _while_uploading(context, lambda: _alarm(context, state))


def _while_uploading(context: Context, find: Callable[[], Any]) -> Any:
    """A function that uploads one more picture and then looks by `find`."""
    picture = photograph(320, 240)
    url = f"{context.api('image_api')}/images"

    def look() -> Any:
        httpx.post(
            url, content=picture, headers={"Content-Type": "image/jpeg"}, timeout=90
        ).raise_for_status()
        time.sleep(PAUSE_BETWEEN_UPLOADS)
        return find()

    return look


def _alarm(context: Context, state: str) -> dict[str, Any] | None:
    """The error-rate alarm where it is in that state."""
    client = context.client("cloudwatch", MONITORING_ACCOUNT)
    alarm: dict[str, Any] = client.describe_alarms(AlarmNames=[ALARM])["MetricAlarms"][0]
    return alarm if alarm["StateValue"] == state else None


def _well(stage: timeline.Stage) -> bool | None:
    """True where the service's critical alarms are OK, and were for a while."""
    return stage.settled(time.time()) or None


def _reserved_concurrency(context: Context) -> int | None:
    client = context.client("lambda")
    reserved: int | None = client.get_function_concurrency(FunctionName=FUNCTION).get(
        "ReservedConcurrentExecutions"
    )
    return reserved
