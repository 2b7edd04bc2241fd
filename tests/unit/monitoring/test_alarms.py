from hypothesis import given

from monitoring import alarms, remediation
from monitoring.inventory import Service
from tests.unit.monitoring import samples


def _of(condition: str) -> list[alarms.Alarm]:
    return [
        alarm
        for service in samples.SERVICES
        for alarm in alarms.of(service)
        if alarm.condition == condition
    ]


@given(samples.services())
def test_every_function_has_its_alarms(services: tuple[Service, ...]) -> None:
    for service in services:
        by_function = {
            function.key: {
                alarm.condition
                for alarm in alarms.of(service)
                if ("FunctionName", function.name) in alarm.dimensions
            }
            for function in service.functions
        }
        for function in service.functions:
            assert by_function[function.key] >= {"error-rate", "throttles", "duration"}
            assert ("events-dropped" in by_function[function.key]) is function.asynchronous


@given(samples.services())
def test_names_and_logical_ids_are_unique_and_within_the_limits(
    services: tuple[Service, ...],
) -> None:
    every = [alarm for service in services for alarm in alarms.of(service)]
    names = [alarm.name("prod") for alarm in every]
    assert len(set(names)) == len(names)
    for alarm in every:
        assert len(alarm.name("prod")) <= 255
        assert alarm.logical_id.isalnum()
        # CloudFormation puts the account and the Region in: 12 and up to 14 characters.
        assert len(alarm.description) <= 1024


def test_the_duration_is_a_share_of_the_functions_own_time_out() -> None:
    expressions = {
        alarm.dimensions[0][1]: (alarm.expression, alarm.threshold) for alarm in _of("duration")
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


def test_a_resource_reads_the_workload_account_and_returns_one_series() -> None:
    for service in samples.SERVICES:
        for alarm in alarms.of(service):
            properties = alarms.resource(alarm, "prod").to_dict()["Properties"]
            queries = properties["Metrics"]
            assert sum(query["ReturnData"] for query in queries) == 1
            for query in queries:
                if "MetricStat" in query:
                    assert query["AccountId"] == {"Ref": "WorkloadAccountId"}
            tags = {tag["Key"]: tag["Value"] for tag in properties["Tags"]}
            assert tags["Severity"] in ("critical", "warning")
            assert tags["Owner"] == service.name
            text = properties["AlarmDescription"]["Fn::Sub"]
            for part in ("Severity: ", "Owner: ", "Where: ", "Meaning: ", "To do: ", "Runbook: "):
                assert part in text


@given(samples.services())
def test_only_asynchronous_functions_are_capped(services: tuple[Service, ...]) -> None:
    capped = remediation.targets(services, "prod")
    assert set(capped.values()) == {
        function for service in services for function in service.functions if function.asynchronous
    }
    assert all(name.endswith("/error-rate") for name in capped)
