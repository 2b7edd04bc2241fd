"""What the simulator makes of data, and its command."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitoring import (
    build,
    composites,
    maintenance,
    naming,
    scenarios,
    series,
    simulate,
    simulation,
    situations,
    thresholds,
)
from monitoring.series import Sample
from tests.unit.monitoring import samples

ROOT = Path(__file__).resolve().parents[3]
FUNCTION = (("FunctionName", "image_api-prod-process"),)
ALARM = naming.alarm("prod", "image_api", "process", "error-rate")
CRITICAL = naming.composite("prod", "image_api", "critical")


@pytest.fixture(scope="module")
def body():
    return build.monitoring_template("prod", samples.SERVICES, samples.THRESHOLDS).to_dict()


def minutes(*failed: int, of: int = 10) -> list[Sample]:
    return [
        Sample(number * 60 + 5.0, "AWS/Lambda", metric, FUNCTION, value)
        for number, errors in enumerate(failed)
        for metric, value in (("Invocations", of), ("Errors", errors))
    ]


def simulated(body, data, **parameters: str) -> simulation.Result:
    return simulation.run(simulate.document(body, "prod", parameters), data)


def test_two_of_three_bad_minutes_are_an_alarm_and_everything_that_follows(body) -> None:
    result = simulated(body, minutes(0, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0), DryRun="false")
    changes = [(change.time, change.alarm, change.new) for change in result.changes]
    assert changes == [
        (300, ALARM, "ALARM"),
        (300, CRITICAL, "ALARM"),
        (360, ALARM, "OK"),
        (360, CRITICAL, "OK"),
    ]
    told = {
        (delivery.rule, delivery.target)
        for change in result.changes
        for delivery in change.deliveries
    }
    assert told == {
        ("RecordRule", "${Notifications.Arn}"),
        ("ImageApiCriticalRule", "${CriticalTopic}"),
        ("ImageApiIncidentRule", simulation.ACTIONS),
        ("ImageApiProcessCapRule", simulation.ACTIONS),
        ("ImageApiProcessRedriveRule", simulation.ACTIONS),
    }
    assert [(done.time, done.record["action"], done.record["event"]) for done in result.done] == [
        (300, "cap", "begin"),
        (300, "incident", "begin"),
        (360, "cap", "finish"),
        (360, "redrive", "begin"),
        (360, "incident", "finish"),
    ]


def test_few_failures_are_no_alarm(body) -> None:
    assert simulated(body, minutes(*[2] * 30, of=2)).changes == ()


def test_an_action_that_does_not_help_stops(body) -> None:
    result = simulated(body, minutes(*[9] * 30), DryRun="false", PatienceSeconds="300")
    cap = [done for done in result.done if done.record["action"] == "cap"]
    assert [(done.time, done.record["event"]) for done in cap] == [(120, "begin"), (420, "stop")]


def test_a_maintenance_window_holds_what_is_told_and_reminds(body) -> None:
    window = (("Service", "image_api"), ("Stage", "prod"))
    data = minutes(*[0] * 3, *[9] * 10)
    opened = maintenance.points("image_api", "prod", datetime.fromtimestamp(0, UTC), 8)
    for point in opened:
        pairs = sorted((one["Name"], one["Value"]) for one in point["Dimensions"])
        assert tuple(pairs) == window
        time = point["Timestamp"].timestamp()
        data.append(Sample(time, composites.NAMESPACE, point["MetricName"], window, point["Value"]))
    result = simulated(body, sorted(data, key=lambda sample: sample.time))
    (change,) = (change for change in result.changes if change.alarm == CRITICAL)
    assert change.event["detail"]["state"]["actionsSuppressedBy"] == "Alarm"
    assert {delivery.target for delivery in change.deliveries} == {
        "${Notifications.Arn}",
        simulation.ACTIONS,
    }
    (reminded,) = (done for done in result.done if done.record["action"] == "remind")
    assert reminded.time == 540
    assert CRITICAL in reminded.record["summary"]


def test_missing_data_is_good(body) -> None:
    data = [*minutes(9, 9, 9), Sample(3600, "Other", "m", (), 1)]
    assert [change.new for change in simulated(body, data).changes if change.alarm == ALARM] == [
        "ALARM",
        "OK",
    ]


@pytest.fixture(scope="module")
def compared() -> dict[str, dict[str, dict[str, float]]]:
    """When conditions of the apps go off, by situation and variant of the default numbers."""
    services = build.services("prod")
    return {
        situation.name: {
            variant: told
            for variant, (told, _) in scenarios.compare(
                services, thresholds.load(), situation
            ).items()
        }
        for situation in situations.SITUATIONS
    }


def test_as_set_a_situation_is_told_and_nothing_else(compared) -> None:
    told = {name: variants[scenarios.AS_SET] for name, variants in compared.items()}
    assert told["quiet night"] == told["traffic spike"] == {}
    assert told["bad deployment"] == {
        "error-rate": 2,
        "server-error-rate": 2,
        "events-dropped": 5,
        "not-empty": 6,
    }
    assert told["slow dependency"] == pytest.approx(
        {"latency": 8, "duration": 12, "event-age": 18, "system-errors": 7}, abs=1
    )


def test_every_number_has_its_reason(compared) -> None:
    for condition in thresholds.load().conditions:
        reason = scenarios.why(condition, compared)
        assert len(reason) > 30, condition
        # What the situations say nothing of is argued in words.
        silent = not any(
            condition in told for variants in compared.values() for told in variants.values()
        )
        assert silent <= (condition in scenarios.IN_WORDS), condition


def test_another_number_would_be_wrong(compared) -> None:
    spike, night = compared["traffic spike"], compared["quiet night"]
    assert {"error-rate", "server-error-rate", "client-error-rate", "latency", "event-age"} <= set(
        spike[scenarios.FIFTH]
    )
    assert {"throttles", "table-throttles"} <= set(spike[scenarios.AT_ONCE])
    assert "system-errors" in night[scenarios.AT_ONCE]
    assert {"error-rate", "server-error-rate"} <= set(night[scenarios.UNGUARDED])
    slow = compared["slow dependency"]
    assert "duration" not in slow[scenarios.FOUR_TIMES]


def test_series_are_read_as_they_are_written() -> None:
    data = minutes(1, 2)
    text = io.StringIO()
    series.write(text, data)
    assert series.read(io.StringIO(text.getvalue())) == data
    read = series.read(
        io.StringIO("time,namespace,metric,dimensions,value\n1970-01-01T00:01:05Z,N,m,,2\n")
    )
    assert read == [Sample(65, "N", "m", (), 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "the first line must be time,namespace"),
        ("time,namespace,metric,dimensions,value\n", "there is no data"),
        ("time,namespace,metric,dimensions,value\nnever,N,m,,1\n", "line 2: "),
        ("time,namespace,metric,dimensions,value\n1,N,m,x,1\n", "line 2: 'x' is no dimension"),
    ],
)
def test_bad_series_are_named_by_their_line(text: str, message: str) -> None:
    with pytest.raises(series.SeriesError, match=message):
        series.read(io.StringIO(text))


def test_the_command_prints_and_draws(body, tmp_path: Path) -> None:
    template, data, plot = (tmp_path / name for name in ("t.json", "d.csv", "p.svg"))
    template.write_text(json.dumps(body))
    with data.open("w") as file:
        series.write(file, minutes(0, 9, 9, 0))
    command = [sys.executable, "-m", "monitoring.simulate", data, "--template", template]
    done = subprocess.run(
        [*command, "--plot", plot], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"OK -> ALARM  {ALARM}" in done.stdout
    assert "ImageApiCriticalRule -> CriticalTopic: ALARM since" in done.stdout
    assert plot.read_text().lstrip().startswith("<?xml")
    again = subprocess.run(
        [*command, "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(again.stdout)[0]["alarm"] == ALARM
    data.write_text("nonsense")
    failed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"python -m monitoring.simulate: {data}: the first line must")
    assert len(failed.stderr.splitlines()) == 1


def test_a_changed_threshold_is_what_is_simulated(body) -> None:
    numbers = samples.THRESHOLDS.changed("error-rate", threshold=95)
    other = build.monitoring_template("prod", samples.SERVICES, numbers).to_dict()
    assert simulated(other, minutes(*[9] * 5)).changes == ()
    assert replace(numbers, conditions=samples.THRESHOLDS.conditions) == samples.THRESHOLDS
