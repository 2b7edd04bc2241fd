from __future__ import annotations

import json
import logging

from image_api.chalicelib.telemetry import (
    BYTES,
    COUNT,
    JsonFormatter,
    Metrics,
    configure_logging,
)


def record(**extra: object) -> logging.LogRecord:
    return logging.getLogger("image_api.test").makeRecord(
        "image_api.test", logging.INFO, "file", 1, "%s done", ("it",), None, extra=extra
    )


def test_a_log_line_is_json_with_what_was_added():
    made = record(image_id="x", aws_request_id="r")
    line = json.loads(JsonFormatter().format(made))
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "image_api.test",
        "message": "it done",
        "request_id": "r",
        "image_id": "x",
    }


def test_an_exception_stays_in_its_line():
    try:
        raise ValueError("of two\nlines")
    except ValueError:
        made = record()
        made.exc_info = __import__("sys").exc_info()
    line = JsonFormatter().format(made)
    assert "\n" not in line
    assert "ValueError: of two\nlines" in json.loads(line)["exception"]


def test_metrics_are_in_the_embedded_metric_format():
    metrics = Metrics()
    metrics.add("Rejections", 1, COUNT)
    metrics.add("BytesIn", 12.00049, BYTES)
    assert metrics.document("x", "corrupt-image", 1700000000000) == {
        "_aws": {
            "Timestamp": 1700000000000,
            "CloudWatchMetrics": [
                {
                    "Namespace": "ImageApi",
                    "Dimensions": [["FunctionName"], ["FunctionName", "Problem"]],
                    "Metrics": [
                        {"Name": "Rejections", "Unit": "Count"},
                        {"Name": "BytesIn", "Unit": "Bytes"},
                    ],
                }
            ],
        },
        "FunctionName": "image_api",
        "Problem": "corrupt-image",
        "image_id": "x",
        "Rejections": 1,
        "BytesIn": 12.0,
    }


def test_metrics_are_one_line(capsys):
    metrics = Metrics()
    metrics.add("Renditions", 4, COUNT)
    metrics.emit(image_id="x")
    (line,) = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    assert document["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["FunctionName"]]
    assert "Problem" not in document


def test_only_lambda_gets_json(monkeypatch):
    handler = logging.StreamHandler()
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    configure_logging()
    assert handler.formatter is None
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "image_api-local")
    configure_logging()
    assert isinstance(handler.formatter, JsonFormatter)
