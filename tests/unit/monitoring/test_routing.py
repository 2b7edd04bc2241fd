from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring import alarms, composites, naming, routing
from monitoring.inventory import Service
from monitoring.semantics.event_patterns import matches
from monitoring.semantics.input_transformers import render
from tests.unit.monitoring import samples

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


def _rules(services: tuple[Service, ...], stage: str = "prod") -> dict[str, routing.Rule]:
    return {rule.logical_id: rule for rule in routing.rules(stage, services, samples.THRESHOLDS)}


def _matching(rules: dict[str, routing.Rule], event: dict[str, Any]) -> set[str]:
    return {name for name, rule in rules.items() if matches(rule.pattern, event)}


def _rule(*parts: str) -> str:
    return naming.logical_id(*parts, "rule")


@settings(deadline=None, max_examples=50)
@given(samples.services(), changes)
def test_each_alarm_matches_exactly_its_rules(
    services: tuple[Service, ...], change: tuple[str, str]
) -> None:
    previous, state = change
    rules = _rules(services)
    for service in services:
        functions = {function.key: function for function in service.functions}
        for alarm in alarms.of(service, samples.THRESHOLDS):
            expected = {routing.RECORD}
            function = functions.get(alarm.subject)
            if alarm.condition == "error-rate" and function and function.asynchronous:
                if state in ("ALARM", "OK"):
                    expected.add(_rule(service.name, function.key, "cap"))
                recovers_or_fails = state == "ALARM" or (state, previous) == ("OK", "ALARM")
                if service.failures_of(function) and recovers_or_fails:
                    expected.add(_rule(service.name, function.key, "redrive"))
            event = _event(alarm.name("prod"), previous, state)
            assert _matching(rules, event) == expected


@settings(deadline=None, max_examples=50)
@given(samples.services(), changes, st.booleans())
def test_each_composite_alarm_matches_exactly_its_rules(
    services: tuple[Service, ...], change: tuple[str, str], suppressed: bool
) -> None:
    previous, state = change
    rules = _rules(services)
    for service in services:
        for severity in composites.severities(alarms.of(service, samples.THRESHOLDS)):
            event = _event(naming.composite("prod", service.name, severity), previous, state)
            if suppressed:
                event["detail"]["state"]["actionsSuppressedBy"] = "Alarm"
            expected = {routing.RECORD}
            told = state == "ALARM" or (state, previous) == ("OK", "ALARM")
            if told and not suppressed:
                expected.add(_rule(service.name, severity))
            if severity == "critical" and state in ("ALARM", "OK"):
                expected.add(_rule(service.name, "incident"))
            assert _matching(rules, event) == expected


@settings(deadline=None, max_examples=50)
@given(samples.services(), changes)
def test_the_end_of_a_window_reminds(
    services: tuple[Service, ...], change: tuple[str, str]
) -> None:
    rules = _rules(services)
    for service in services:
        event = _event(naming.maintenance("prod", service.name), *change)
        over = {_rule(service.name, "reminder")} if change == ("ALARM", "OK") else set()
        assert _matching(rules, event) == {routing.RECORD} | over


@given(changes)
def test_what_is_told_goes_to_the_topic_of_its_severity(change: tuple[str, str]) -> None:
    rules = RULES
    for service in samples.SERVICES:
        for severity, topic in (("critical", "CriticalTopic"), ("warning", "WarningTopic")):
            assert rules[_rule(service.name, severity)].target == topic


RULES = _rules(samples.SERVICES)

foreign = st.one_of(
    st.text(max_size=60).filter(lambda name: not name.startswith("monitoring-prod/")),
    # Another stage's alarms, and one whose name begins with this one's.
    st.sampled_from(["dev", "prod2", "prod-eu", "pro"]).map(
        lambda stage: naming.alarm(stage, "image_api", "process", "error-rate")
    ),
    st.sampled_from(["dev", "prod2"]).map(
        lambda stage: naming.composite(stage, "image_api", "critical")
    ),
)


@given(foreign, changes)
def test_a_foreign_alarm_matches_nothing(name: str, change: tuple[str, str]) -> None:
    assert _matching(RULES, _event(name, *change)) == set()


@given(changes)
def test_a_service_with_a_longer_name_is_another(change: tuple[str, str]) -> None:
    name = naming.composite("prod", "image_api_two", "critical")
    assert _matching(RULES, _event(name, *change)) == {routing.RECORD}


@pytest.mark.parametrize(
    "other",
    [{"source": "aws.health"}, {"detail-type": "CloudWatch Alarm Configuration Change"}],
)
def test_another_event_about_an_alarm_matches_nothing(other: dict[str, str]) -> None:
    name = naming.alarm("prod", "image_api", "process", "error-rate")
    assert _matching(RULES, _event(name, "OK", "ALARM")) != set()
    assert _matching(RULES, _event(name, "OK", "ALARM", **other)) == set()


def test_a_pattern_over_too_many_names_says_so() -> None:
    pattern = routing.alarm_pattern(f"monitoring-prod/service/{n}/error-rate" for n in range(60))
    with pytest.raises(ValueError, match="2048 are allowed: split the rule"):
        routing.Rule("Long", "why", pattern, "Actions", 1, {}, "")


@settings(deadline=None, max_examples=50)
@given(samples.services(), st.text(max_size=80))
def test_every_message_is_json_that_names_what_where_and_since_when(
    services: tuple[Service, ...], reason: str
) -> None:
    for rule in _rules(services).values():
        event = _event(f"monitoring-prod/{rule.logical_id}", "OK", "ALARM")
        event["detail"]["state"]["reason"] = reason
        told = json.loads(render(rule.paths, rule.message, event))
        if rule.target == "Actions":
            assert told["alarm"] == event["detail"]["alarmName"]
            assert told["action"] in ("cap", "redrive", "incident", "remind")
            continue
        since = event["detail"]["state"]["timestamp"]
        assert told["summary"] == f"ALARM since {since}: {event['detail']['alarmName']}"
        assert (told["state"], told["previous_state"]) == ("ALARM", "OK")
        assert (told["since"], told["reason"]) == (since, reason)
        assert (told["account"], told["region"]) == ("222222222222", "us-east-1")
        if rule.target != "Notifications":
            assert told["runbook"].startswith("${RunbookUrl}/service-")
            assert told["owner"] == "a-team"
