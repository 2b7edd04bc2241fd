from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring import alarms, naming, remediation, routing
from monitoring.inventory import Service
from tests.unit.monitoring import samples
from tests.unit.monitoring.event_pattern import matches

STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")
changes = st.tuples(st.sampled_from(STATES), st.sampled_from(STATES))


def _event(name: str, previous: str, state: str, **more: Any) -> dict[str, Any]:
    """As CloudWatch sends it, "Alarm events and EventBridge" in its User Guide."""
    return {
        "version": "0",
        "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": "222222222222",
        "time": "2026-10-02T17:04:40Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:cloudwatch:us-east-1:222222222222:alarm:{name}"],
        "detail": {
            "alarmName": name,
            "configuration": {"description": "", "metrics": []},
            "previousState": {"value": previous, "timestamp": "2026-10-02T16:59:40.000+0000"},
            "state": {
                "value": state,
                "reason": "Threshold Crossed",
                "timestamp": "2026-10-02T17:04:40.989+0000",
            },
        },
        **more,
    }


def _matching(services: tuple[Service, ...], stage: str, event: dict[str, Any]) -> set[str]:
    owners = [service.name for service in services]
    patterns = {
        routing.RAISED: routing.raised_pattern(stage, owners),
        routing.CLEARED: routing.cleared_pattern(stage, owners),
        routing.ACTION: routing.action_pattern(remediation.targets(services, stage)),
    }
    return {rule for rule, pattern in patterns.items() if matches(pattern, event)}


@given(samples.services(), changes)
def test_each_alarm_matches_exactly_its_rules(
    services: tuple[Service, ...], change: tuple[str, str]
) -> None:
    previous, state = change
    for service in services:
        asynchronous = {function.key for function in service.functions if function.asynchronous}
        for alarm in alarms.of(service):
            expected = set()
            if state == "ALARM":
                expected.add(routing.RAISED)
            if state == "OK" and previous == "ALARM":
                expected.add(routing.CLEARED)
            if (
                state in ("ALARM", "OK")
                and alarm.condition == "error-rate"
                and alarm.subject in asynchronous
            ):
                expected.add(routing.ACTION)
            event = _event(alarm.name("prod"), previous, state)
            assert _matching(services, "prod", event) == expected


foreign = st.one_of(
    st.text(max_size=60).filter(lambda name: not name.startswith("monitoring-prod/")),
    # Another stage's alarms, and one whose name begins with this one's.
    st.sampled_from(["dev", "prod2", "prod-eu", "pro"]).map(
        lambda stage: naming.alarm(stage, "image_api", "process", "error-rate")
    ),
    # The dead-letter queue's alarm tells the topic by itself.
    st.just(naming.alarm("prod", "monitoring", "dead_letters", "not-empty")),
    # Another service whose name begins with a watched one's.
    st.just(naming.alarm("prod", "image_api_two", "process", "error-rate")),
)


@given(foreign, changes)
def test_a_foreign_alarm_matches_nothing(name: str, change: tuple[str, str]) -> None:
    assert _matching(samples.SERVICES, "prod", _event(name, *change)) == set()


@pytest.mark.parametrize(
    "other",
    [{"source": "aws.health"}, {"detail-type": "CloudWatch Alarm Configuration Change"}],
)
def test_another_event_about_an_alarm_matches_nothing(other: dict[str, str]) -> None:
    name = naming.alarm("prod", "image_api", "process", "error-rate")
    assert _matching(samples.SERVICES, "prod", _event(name, "OK", "ALARM")) != set()
    assert _matching(samples.SERVICES, "prod", _event(name, "OK", "ALARM", **other)) == set()


def test_a_pattern_over_too_many_names_says_so() -> None:
    with pytest.raises(ValueError, match="2048 are allowed: split the rule"):
        routing.action_pattern(f"monitoring-prod/service/{n}/error-rate" for n in range(60))


def test_the_message_is_json_that_names_what_where_and_since_when() -> None:
    values = {name: f"a {name}" for name in routing.INPUT_PATHS}
    # EventBridge puts JSON in place of a variable that is a value, and bare text inside of quotes.
    message = re.sub(r'(?<=": )<(\w+)>', lambda m: json.dumps(values[m[1]]), routing.MESSAGE)
    message = re.sub(r"<(\w+)>", lambda m: values[m[1]], message)
    told = json.loads(message)
    assert told.pop("summary") == "a state since a since: a alarm"
    assert told.pop("previous_state") == "a previous"
    assert told == {name: values[name] for name in told}
    assert set(told) == set(values) - {"previous"}
