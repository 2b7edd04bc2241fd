from hypothesis import given

from monitoring import alarms, conditions, remediation
from monitoring.inventory import Function, Queue, Service
from tests.unit.monitoring import samples


def _of(condition: str) -> list[alarms.Alarm]:
    return [
        alarm
        for service in samples.SERVICES
        for alarm in alarms.of(service, samples.THRESHOLDS)
        if alarm.condition == condition
    ]


@given(samples.services())
def test_every_function_has_its_alarms(services: tuple[Service, ...]) -> None:
    for service in services:
        by_function = {
            function.key: {
                alarm.condition
                for alarm in alarms.of(service, samples.THRESHOLDS)
                if ("FunctionName", function.name) in alarm.dimensions
            }
            for function in service.functions
        }
        for function in service.functions:
            everywhere = {"error-rate", "throttles", "duration", "concurrency"}
            asynchronous = {"event-age", "events-dropped", "failures-lost"}
            assert by_function[function.key] == everywhere | (
                asynchronous if function.asynchronous else set()
            )


@given(samples.services())
def test_names_and_logical_ids_are_unique_and_within_the_limits(
    services: tuple[Service, ...],
) -> None:
    every = [alarm for service in services for alarm in alarms.of(service, samples.THRESHOLDS)]
    names = [alarm.name("prod") for alarm in every]
    assert len(set(names)) == len(names)
    for alarm in every:
        assert len(alarm.name("prod")) <= 255
        assert alarm.logical_id.isalnum()
        # CloudFormation puts the account and the Region in: 12 and up to 14 characters.
        assert len(alarm.description) <= 1024


def test_the_duration_is_a_share_of_the_functions_own_time_out() -> None:
    expressions = {
        alarm.dimensions[0][1]: (alarm.expression, alarm.threshold.threshold)
        for alarm in _of("duration")
    }
    assert expressions == {
        "image_api-prod": ("100 * p99 / 29000", 80),
        "image_api-prod-process": ("100 * p99 / 120000", 80),
        "crud_api-prod": ("100 * p99 / 20000", 80),
    }


def test_low_traffic_is_no_error_rate() -> None:
    for alarm in (*_of("error-rate"), *_of("server-error-rate")):
        assert alarm.expression is not None
        assert alarm.expression.startswith(f"IF(errors >= {alarms.MINIMUM_FAILURES}, ")
        assert alarm.expression.endswith(", 0)")


def test_an_api_is_watched_at_the_gateway_too() -> None:
    # A Chalice view that raises answers 500, and is no error to Lambda.
    assert [alarm.dimensions for alarm in _of("server-error-rate")] == [
        (("ApiName", "image_api"), ("Stage", "api")),
        (("ApiName", "crud_api"), ("Stage", "api")),
    ]


def test_a_resource_reads_its_account_and_returns_one_series() -> None:
    for service in samples.SERVICES:
        for alarm in alarms.of(service, samples.THRESHOLDS):
            properties = alarms.resource(alarm, "prod").to_dict()["Properties"]
            queries = properties["Metrics"]
            # A band is returned beside its metric: "AWS::CloudWatch::Alarm", ThresholdMetricId.
            assert sum(query.get("ReturnData", False) for query in queries) == 1 + alarm.band
            for query in queries:
                if "MetricStat" in query:
                    assert query["AccountId"] == {"Ref": "WorkloadAccountId"}
            tags = {tag["Key"]: tag["Value"] for tag in properties["Tags"]}
            assert tags["Severity"] in ("critical", "warning")
            assert tags["Owner"] == service.owner
            text = properties["AlarmDescription"]["Fn::Sub"]
            for part in ("Severity: ", "Owner: ", "Where: ", "Meaning: ", "To do: ", "Runbook: "):
                assert part in text


def test_an_alarm_of_the_monitoring_account_reads_its_own_metrics() -> None:
    service = Service("own", queues=(Queue("Q", "q"),), owner="a", account="monitoring")
    for alarm in alarms.of(service, samples.THRESHOLDS):
        queries = alarms.resource(alarm, "prod").to_dict()["Properties"]["Metrics"]
        assert all("AccountId" not in query for query in queries)


def test_a_function_that_is_switched_off_has_no_limit_to_come_near() -> None:
    off = Function("f", "f-prod", 9, asynchronous=False, reserved_concurrency=0)
    made = alarms.of(Service("s", (off,), owner="a"), samples.THRESHOLDS)
    assert "concurrency" not in {alarm.condition for alarm in made}


def test_concurrency_is_a_share_of_the_reserved_or_the_accounts_limit() -> None:
    reserved = Function("f", "f-prod", 9, asynchronous=False, reserved_concurrency=40)
    (alarm,) = (
        alarm
        for alarm in alarms.of(Service("s", (reserved,), owner="a"), samples.THRESHOLDS)
        if alarm.condition == "concurrency"
    )
    assert alarm.expression == "100 * concurrent / 40"
    assert {alarm.expression for alarm in _of("concurrency")} == {
        "100 * concurrent / ${AccountConcurrency}"
    }


def test_every_condition_has_a_threshold_and_every_threshold_a_condition() -> None:
    assert {condition.name for condition in conditions.CATALOGUE} == set(
        samples.THRESHOLDS.conditions
    )


def test_the_metrics_of_one_alarm_are_no_more_than_cloudwatch_takes() -> None:
    # "Using math expressions with CloudWatch metrics": ten metrics in an alarm on an expression.
    for service in samples.SERVICES:
        for alarm in alarms.of(service, samples.THRESHOLDS):
            assert len(alarm.metrics) <= 10, alarm.logical_id


@given(samples.services())
def test_only_asynchronous_functions_are_capped(services: tuple[Service, ...]) -> None:
    capped = remediation.asynchronous(services)
    assert set(capped) == {
        function for service in services for function in service.functions if function.asynchronous
    }
