"""The alarms of a service: what is measured, when it is wrong, whose it is and what to do then.

Everything here is a plain value until `resource` turns it into an AWS::CloudWatch::Alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from troposphere import Ref, Sub, cloudwatch

from monitoring import conditions, context, naming
from monitoring.conditions import MINIMUM_FAILURES, MINIMUM_REQUESTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitoring.conditions import Condition
    from monitoring.inventory import Function, Queue, RestApi, Service, Table
    from monitoring.thresholds import Severity, Threshold, Thresholds

PERIOD = 60
"""Seconds a data point covers: the finest that these namespaces publish."""

API = "rest_api"
"""The subject of an API's alarms: a service has one API at most."""

HAS_ANOMALY_DETECTION = "HasAnomalyDetection"
_BAND = "band"

# "DynamoDB metrics and dimensions": SystemErrors is published for each operation alone. These are
# the ones that the apps call, and their batch forms.
_OPERATIONS = (
    "BatchGetItem",
    "BatchWriteItem",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "Scan",
    "TransactWriteItems",
    "UpdateItem",
)


@dataclass(frozen=True)
class Metric:
    """One metric of an alarm; `id` is its name inside the alarm's expression.

    `dimensions` are added to those of the alarm.
    """

    id: str
    name: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Alarm:
    """One alarm over metrics of the account `account`.

    It goes off when `threshold.datapoints` of the last `threshold.periods` values of `expression`,
    or of its one metric where there is no expression, are at or above `threshold.threshold`. A
    period without data is a good one: a function nobody calls is healthy. Where `band` is set, a
    value is a bad one when it is that many standard deviations from what was learned.
    """

    service: str
    owner: str
    account: str
    subject: str
    condition: str
    threshold: Threshold
    namespace: str
    dimensions: tuple[tuple[str, str], ...]
    metrics: tuple[Metric, ...]
    expression: str | None
    label: str
    meaning: str
    response: str
    band: bool = False

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return self.threshold.severity

    def name(self, stage: str) -> str:
        """Return its name in the account."""
        return naming.alarm(stage, self.service, self.subject, self.condition)

    @property
    def logical_id(self) -> str:
        """Its name in the template."""
        return naming.logical_id(self.service, self.subject, self.condition)

    @property
    def description(self) -> str:
        """What the one who is woken needs; CloudWatch takes 1,024 characters."""
        where = ", ".join(f"{name} {value}" for name, value in self.dimensions)
        account = "WorkloadAccountId" if self.account == "workload" else "AWS::AccountId"
        return (
            f"Severity: {self.severity}. Owner: {self.owner}. "
            f"Where: {where}, account ${{{account}}}, ${{AWS::Region}}. "
            f"Meaning: {self.meaning} To do: {self.response} "
            f"Runbook: ${{RunbookUrl}}/{self.condition}.md"
        )


def of(service: Service, thresholds: Thresholds) -> Iterator[Alarm]:
    """Yield every alarm of a service. There is no way to leave a function, API, table or queue out.

    Raises ThresholdError: a condition has no threshold.
    """
    maker = _Maker(service, thresholds)
    for function in service.functions:
        yield from maker.of_function(function)
    if service.rest_api:
        yield from maker.of_rest_api(service.rest_api)
    for table in service.tables:
        yield from maker.of_table(table)
    for queue in service.queues:
        yield from maker.of_queue(queue)


@dataclass(frozen=True)
class _Maker:
    """Makes the alarms of one service."""

    service: Service
    thresholds: Thresholds

    def _alarm(
        self,
        condition: Condition,
        subject: str,
        namespace: str,
        dimensions: tuple[tuple[str, str], ...],
        metrics: tuple[Metric, ...],
        expression: str | None = None,
        *,
        band: bool = False,
        **facts: object,
    ) -> Alarm:
        threshold = self.thresholds.of(condition.name, f"{self.service.name}/{subject}")
        return Alarm(
            service=self.service.name,
            owner=self.service.owner,
            account=self.service.account,
            subject=subject,
            condition=condition.name,
            threshold=threshold,
            namespace=namespace,
            dimensions=dimensions,
            metrics=metrics,
            expression=expression,
            label=condition.unit,
            meaning=condition.meaning.format(threshold=threshold.threshold, **facts),
            response=condition.response,
            band=band,
        )

    def of_function(self, function: Function) -> Iterator[Alarm]:
        where = (function.key, "AWS/Lambda", (("FunctionName", function.name),))
        yield self._alarm(
            conditions.ERROR_RATE,
            *where,
            (Metric("errors", "Errors", "Sum"), Metric("invocations", "Invocations", "Sum")),
            f"IF(errors >= {MINIMUM_FAILURES}, 100 * errors / invocations, 0)",
        )
        yield self._alarm(conditions.THROTTLES, *where, (Metric("throttled", "Throttles", "Sum"),))
        yield self._alarm(
            conditions.DURATION,
            *where,
            (Metric("p99", "Duration", "p99"),),
            f"100 * p99 / {function.timeout_seconds * 1000}",
            timeout=function.timeout_seconds,
        )
        limit = function.reserved_concurrency
        if limit != 0:  # 0 switches a function off: nothing of it can run
            yield self._alarm(
                conditions.CONCURRENCY,
                *where,
                (Metric("concurrent", "ConcurrentExecutions", "Maximum"),),
                f"100 * concurrent / {limit or '${AccountConcurrency}'}",
                limit=limit or "the account's ${AccountConcurrency}",
            )
        if not function.asynchronous:
            return
        yield self._alarm(
            conditions.EVENT_AGE,
            *where,
            (Metric("age", "AsyncEventAge", "Maximum"),),
            "age / 1000",
        )
        yield self._alarm(
            conditions.EVENTS_DROPPED, *where, (Metric("dropped", "AsyncEventsDropped", "Sum"),)
        )
        yield self._alarm(
            conditions.FAILURES_LOST,
            *where,
            (
                Metric("destination", "DestinationDeliveryFailures", "Sum"),
                Metric("letters", "DeadLetterErrors", "Sum"),
            ),
            "SUM([destination, letters])",
        )

    def of_rest_api(self, api: RestApi) -> Iterator[Alarm]:
        where = (API, "AWS/ApiGateway", (("ApiName", api.name), ("Stage", api.stage)))
        requests = Metric("requests", "Count", "Sum")
        yield self._alarm(
            conditions.SERVER_ERROR_RATE,
            *where,
            (Metric("errors", "5XXError", "Sum"), requests),
            f"IF(errors >= {MINIMUM_FAILURES}, 100 * errors / requests, 0)",
        )
        yield self._alarm(
            conditions.CLIENT_ERROR_RATE,
            *where,
            (Metric("refused", "4XXError", "Sum"), requests),
            f"IF(requests >= {MINIMUM_REQUESTS}, 100 * refused / requests, 0)",
        )
        yield self._alarm(
            conditions.LATENCY,
            *where,
            (Metric("p99", "Latency", "p99"), requests),
            f"IF(requests >= {MINIMUM_REQUESTS}, p99, 0)",
        )
        yield self._alarm(conditions.UNUSUAL_TRAFFIC, *where, (requests,), band=True)

    def of_table(self, table: Table) -> Iterator[Alarm]:
        where = (table.key, "AWS/DynamoDB", (("TableName", table.name),))
        throttles = [
            Metric(f"{kind.lower()}{number}", f"{kind}ThrottleEvents", "Sum", dimensions)
            for number, dimensions in enumerate(
                [(), *((("GlobalSecondaryIndexName", index),) for index in table.indexes)]
            )
            for kind in ("Read", "Write")
        ]
        errors = [
            Metric(operation[0].lower() + operation[1:], "SystemErrors", "Sum", dimensions)
            for operation in _OPERATIONS
            for dimensions in [(("Operation", operation),)]
        ]
        for condition, metrics in (
            (conditions.TABLE_THROTTLES, throttles),
            (conditions.SYSTEM_ERRORS, errors),
        ):
            names = ", ".join(metric.id for metric in metrics)
            yield self._alarm(condition, *where, tuple(metrics), f"SUM([{names}])")

    def of_queue(self, queue: Queue) -> Iterator[Alarm]:
        where = (queue.key, "AWS/SQS", (("QueueName", queue.name),))
        visible = (Metric("messages", "ApproximateNumberOfMessagesVisible", "Maximum"),)
        if queue.purpose == "dead-letters":
            yield self._alarm(conditions.NOT_EMPTY, *where, visible)
        elif queue.purpose == "archive":
            yield self._alarm(conditions.ARCHIVE_DEPTH, *where, visible)
        else:
            age = Metric("age", "ApproximateAgeOfOldestMessage", "Maximum")
            yield self._alarm(conditions.DEPTH, *where, visible)
            yield self._alarm(conditions.MESSAGE_AGE, *where, (age,))


def resource(alarm: Alarm, stage: str) -> cloudwatch.Alarm:
    """Return the alarm as a resource of the monitoring account's template."""
    compared: dict[str, object] = {
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": alarm.threshold.threshold,
    }
    if alarm.band:
        compared = {
            "ComparisonOperator": "LessThanLowerOrGreaterThanUpperThreshold",
            "ThresholdMetricId": _BAND,
        }
    made = cloudwatch.Alarm(
        alarm.logical_id,
        Metadata=context.why(alarm.meaning.replace("${AccountConcurrency}", "concurrency")),
        AlarmName=alarm.name(stage),
        AlarmDescription=Sub(alarm.description),
        DatapointsToAlarm=alarm.threshold.datapoints,
        EvaluationPeriods=alarm.threshold.periods,
        TreatMissingData="notBreaching",
        Metrics=_queries(alarm),
        Tags=naming.tags(Owner=alarm.owner, Severity=alarm.severity, Service=alarm.service),
        **compared,
    )
    if alarm.band:
        # What it learns costs money, and it needs two weeks of traffic: it is asked for.
        made.Condition = HAS_ANOMALY_DETECTION
    return made


def _queries(alarm: Alarm) -> list[cloudwatch.MetricDataQuery]:
    queries = [_query(alarm, metric) for metric in alarm.metrics]
    if alarm.expression is not None:
        text = Sub(alarm.expression) if "${" in alarm.expression else alarm.expression
        queries.append(
            cloudwatch.MetricDataQuery(
                Id="value", Expression=text, Label=alarm.label, ReturnData=True
            )
        )
    if alarm.band:
        band = f"ANOMALY_DETECTION_BAND({alarm.metrics[0].id}, {alarm.threshold.threshold:g})"
        queries.append(
            cloudwatch.MetricDataQuery(
                Id=_BAND, Expression=band, Label=alarm.label, ReturnData=True
            )
        )
    return queries


def _query(alarm: Alarm, metric: Metric) -> cloudwatch.MetricDataQuery:
    alone = alarm.expression is None
    linked = {"AccountId": Ref("WorkloadAccountId")} if alarm.account == "workload" else {}
    return cloudwatch.MetricDataQuery(
        Id=metric.id,
        **linked,
        Label=alarm.label if alone else metric.name,
        MetricStat=cloudwatch.MetricStat(
            Metric=cloudwatch.Metric(
                Namespace=alarm.namespace,
                MetricName=metric.name,
                Dimensions=[
                    cloudwatch.MetricDimension(Name=name, Value=value)
                    for name, value in (*alarm.dimensions, *metric.dimensions)
                ],
            ),
            Period=PERIOD,
            Stat=metric.statistic,
        ),
        ReturnData=alone,
    )
