"""The alarms of a service: what is measured, when it is wrong, whose it is and what to do then.

Everything here is a plain value until `resource` turns it into an AWS::CloudWatch::Alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from troposphere import Ref, Sub, cloudwatch

from monitoring import context, naming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitoring.inventory import Function, RestApi, Service

PERIOD = 60
"""Seconds a data point covers: the finest that AWS/Lambda and AWS/ApiGateway publish."""

MINIMUM_FAILURES = 3
"""Fewer failures than this in a period are no rate: one of two requests would be 50 %.

Three also lets one bad event pass: Lambda invokes an asynchronous function three times for it, but
minutes apart. Such an event raises `events-dropped` instead, when Lambda gives it up.
"""

ERROR_RATE = "error-rate"

Severity = Literal["critical", "warning"]


@dataclass(frozen=True)
class Metric:
    """One metric of an alarm; `id` is its name inside the alarm's expression."""

    id: str
    name: str
    statistic: str


@dataclass(frozen=True)
class Alarm:
    """One alarm over metrics of the workload account.

    It goes off when `datapoints` of the last `periods` values of `expression`, or of its one metric
    where there is no expression, are at or above `threshold`. A period without data is a good one:
    a function nobody calls is healthy.
    """

    owner: str
    subject: str
    condition: str
    severity: Severity
    namespace: str
    dimensions: tuple[tuple[str, str], ...]
    metrics: tuple[Metric, ...]
    expression: str | None
    label: str
    threshold: float
    datapoints: int
    periods: int
    meaning: str
    response: str

    def name(self, stage: str) -> str:
        """Return its name in the account."""
        return naming.alarm(stage, self.owner, self.subject, self.condition)

    @property
    def logical_id(self) -> str:
        """Its name in the template."""
        return naming.logical_id(self.owner, self.subject, self.condition)

    @property
    def description(self) -> str:
        """What the one who is woken needs; CloudWatch takes 1,024 characters."""
        where = ", ".join(f"{name} {value}" for name, value in self.dimensions)
        return (
            f"Severity: {self.severity}. Owner: {self.owner}. "
            f"Where: {where}, account ${{WorkloadAccountId}}, ${{AWS::Region}}. "
            f"Meaning: {self.meaning} To do: {self.response} "
            f"Runbook: docs/monitoring.md#{self.condition}"
        )


def error_rate(service: Service, function: Function) -> Alarm:
    """Return the alarm on the share of a function's invocations that fail.

    It counts what Lambda counts: exceptions, time-outs, out of memory, a failed start. A route of
    Chalice that raises answers 500 and is a success to Lambda; `server_error_rate` sees it.
    """
    response = (
        "The action caps it until the alarm clears, unless that is a dry run; its events wait. "
        if function.asynchronous
        else ""
    )
    return Alarm(
        owner=service.name,
        subject=function.key,
        condition=ERROR_RATE,
        severity="critical",
        namespace="AWS/Lambda",
        dimensions=(("FunctionName", function.name),),
        metrics=(Metric("errors", "Errors", "Sum"), Metric("invocations", "Invocations", "Sum")),
        expression=f"IF(errors >= {MINIMUM_FAILURES}, 100 * errors / invocations, 0)",
        label="Failed invocations (%)",
        threshold=5,
        datapoints=2,
        periods=3,
        meaning=f"5 % or more of the invocations fail, at least {MINIMUM_FAILURES} a minute.",
        response=f"{response}Read the function's log for the exception; "
        "if a deployment came just before, take it back.",
    )


def throttles(service: Service, function: Function) -> Alarm:
    """Return the alarm on invocations that Lambda refused for want of concurrency."""
    return Alarm(
        owner=service.name,
        subject=function.key,
        condition="throttles",
        severity="warning",
        namespace="AWS/Lambda",
        dimensions=(("FunctionName", function.name),),
        metrics=(Metric("throttled", "Throttles", "Sum"),),
        expression=None,
        label="Throttled invocations",
        threshold=1,
        datapoints=2,
        periods=3,
        meaning="Lambda refuses invocations: "
        + (
            "events wait and are tried again for up to six hours."
            if function.asynchronous
            else "callers get 429 or 500."
        ),
        response="Compare ConcurrentExecutions with the reserved and the account's concurrency; "
        "a cap set by the action clears by itself, otherwise ask for more.",
    )


def duration(service: Service, function: Function) -> Alarm:
    """Return the alarm on a p99 duration that comes near the function's time-out."""
    return Alarm(
        owner=service.name,
        subject=function.key,
        condition="duration",
        severity="warning",
        namespace="AWS/Lambda",
        dimensions=(("FunctionName", function.name),),
        metrics=(Metric("p99", "Duration", "p99"),),
        expression=f"100 * p99 / {function.timeout_seconds * 1000}",
        label="p99 of the duration (% of the time-out)",
        threshold=80,
        datapoints=3,
        periods=5,
        meaning=f"The slowest 1 % of the invocations take 80 % or more of the time-out "
        f"({function.timeout_seconds} s); soon they fail.",
        response="Find the slow call in the function's trace and log; give it more memory "
        "(and so CPU), smaller work, or a longer time-out.",
    )


def events_dropped(service: Service, function: Function) -> Alarm:
    """Return the alarm on events that Lambda gave up after its retries."""
    return Alarm(
        owner=service.name,
        subject=function.key,
        condition="events-dropped",
        severity="critical",
        namespace="AWS/Lambda",
        dimensions=(("FunctionName", function.name),),
        metrics=(Metric("dropped", "AsyncEventsDropped", "Sum"),),
        expression=None,
        label="Events given up",
        threshold=1,
        datapoints=1,
        periods=1,
        meaning="An event failed on every try, or grew too old, and will not be tried again.",
        response="Take it from the function's failure destination, mend the cause, send it again.",
    )


def server_error_rate(service: Service, api: RestApi) -> Alarm:
    """Return the alarm on the share of an API's requests that are answered with a 5xx status."""
    return Alarm(
        owner=service.name,
        subject="rest_api",
        condition="server-error-rate",
        severity="critical",
        namespace="AWS/ApiGateway",
        dimensions=(("ApiName", api.name), ("Stage", api.stage)),
        metrics=(Metric("errors", "5XXError", "Sum"), Metric("requests", "Count", "Sum")),
        expression=f"IF(errors >= {MINIMUM_FAILURES}, 100 * errors / requests, 0)",
        label="5xx answers (%)",
        threshold=5,
        datapoints=2,
        periods=3,
        meaning=f"5 % or more of the answers are 5xx, at least {MINIMUM_FAILURES} a minute.",
        response="Read the log of the API's function: each 5xx has its exception there; "
        "if a deployment came just before, take it back.",
    )


def of(service: Service) -> Iterator[Alarm]:
    """Yield every alarm of a service. There is no way to leave a function out."""
    for function in service.functions:
        yield error_rate(service, function)
        yield throttles(service, function)
        yield duration(service, function)
        if function.asynchronous:
            yield events_dropped(service, function)
    if service.rest_api:
        yield server_error_rate(service, service.rest_api)


def _queries(alarm: Alarm) -> list[cloudwatch.MetricDataQuery]:
    dimensions = [
        cloudwatch.MetricDimension(Name=name, Value=value) for name, value in alarm.dimensions
    ]
    queries = [
        cloudwatch.MetricDataQuery(
            Id=metric.id,
            AccountId=Ref("WorkloadAccountId"),
            Label=alarm.label if alarm.expression is None else metric.name,
            MetricStat=cloudwatch.MetricStat(
                Metric=cloudwatch.Metric(
                    Namespace=alarm.namespace, MetricName=metric.name, Dimensions=dimensions
                ),
                Period=PERIOD,
                Stat=metric.statistic,
            ),
            ReturnData=alarm.expression is None,
        )
        for metric in alarm.metrics
    ]
    if alarm.expression is not None:
        queries.append(
            cloudwatch.MetricDataQuery(
                Id="value", Expression=alarm.expression, Label=alarm.label, ReturnData=True
            )
        )
    return queries


def resource(alarm: Alarm, stage: str) -> cloudwatch.Alarm:
    """Return the alarm as a resource of the monitoring account's template."""
    return cloudwatch.Alarm(
        alarm.logical_id,
        Metadata=context.why(alarm.meaning),
        AlarmName=alarm.name(stage),
        AlarmDescription=Sub(alarm.description),
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Threshold=alarm.threshold,
        DatapointsToAlarm=alarm.datapoints,
        EvaluationPeriods=alarm.periods,
        TreatMissingData="notBreaching",
        Metrics=_queries(alarm),
        Tags=naming.tags(Owner=alarm.owner, Severity=alarm.severity),
    )
