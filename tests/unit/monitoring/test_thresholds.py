from __future__ import annotations

from pathlib import Path

import pytest

from monitoring import alarms, thresholds
from monitoring.thresholds import Threshold, ThresholdError
from tests.unit.monitoring import samples

GOOD = "[error-rate]\nthreshold = 5\ndatapoints = 2\nperiods = 3\nseverity = 'critical'\n"


def load(tmp_path: Path, text: str) -> thresholds.Thresholds:
    path = tmp_path / "thresholds.toml"
    path.write_text(text)
    return thresholds.load(path)


def test_a_subject_can_have_its_own_numbers(tmp_path: Path) -> None:
    read = load(tmp_path, f'{GOOD}[error-rate."image_api/process"]\nthreshold = 20\n')
    assert read.of("error-rate", "crud_api/x") == Threshold(5, 2, 3, "critical")
    assert read.of("error-rate", "image_api/process") == Threshold(20, 2, 3, "critical")


def test_they_are_the_alarms(tmp_path: Path) -> None:
    text = (
        thresholds.PATH.read_text() + '\n[throttles."image_api/process"]\nseverity = "critical"\n'
    )
    read = load(tmp_path, text)
    severities = {
        alarm.subject: alarm.severity
        for alarm in alarms.of(samples.SERVICES[0], read)
        if alarm.condition == "throttles"
    }
    assert severities == {"api_handler": "warning", "process": "critical"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("threshold = 5", "treshold = 5"), r"error-rate\.treshold is no setting"),
        (("threshold = 5\n", ""), r"error-rate\.threshold is missing"),
        (("threshold = 5", "threshold = 0"), r"error-rate\.threshold must be a number above 0"),
        (("periods = 3", "periods = 0"), r"error-rate\.periods must be a whole number from 1 to"),
        (("datapoints = 2", "datapoints = 4"), r"error-rate\.datapoints must be .* 1 to 3, not 4"),
        (("'critical'", "'fatal'"), r"error-rate\.severity must be critical or warning"),
        (("[error-rate]", "[error-rate"), r"thresholds\.toml: "),
    ],
)
def test_a_wrong_number_is_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(ThresholdError, match=message):
        load(tmp_path, GOOD.replace(*change))


def test_a_subject_is_named_with_its_service(tmp_path: Path) -> None:
    with pytest.raises(ThresholdError, match="name it SERVICE/SUBJECT"):
        load(tmp_path, f"{GOOD}[error-rate.process]\nthreshold = 20\n")


def test_a_condition_without_a_table_is_named() -> None:
    with pytest.raises(ThresholdError, match="the condition nothing has no table"):
        samples.THRESHOLDS.of("nothing", "a/b")
