"""What `app.py` declares, read from the app as Chalice reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from image_api.chalicelib.settings import DEFAULT_PROCESS_MEMORY, MIB

CONFIG = Path(__file__).parents[3] / "image_api" / ".chalice" / "config.json"
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "SOURCE_BUCKET": "sources",
    "DESTINATION_BUCKET": "renditions",
    "API_AUTH": "none",
    "CORS_ORIGIN": "*",
    "STAGE": "local",
}


@pytest.mark.parametrize(("api_auth", "authorised"), [("iam", True), ("none", False)])
def test_every_route_is_closed_unless_the_stage_is_open(load_app, api_auth, authorised):
    app = load_app("image_api", ENVIRONMENT | {"API_AUTH": api_auth, "CORS_ORIGIN": ""}).app
    entries = [entry for methods in app.routes.values() for entry in methods.values()]
    assert len(entries) == 5
    assert all((entry.authorizer is not None) is authorised for entry in entries)


def test_only_uploads_of_the_source_bucket_start_the_processing(load_app):
    app = load_app("image_api", ENVIRONMENT).app
    (source,) = app.event_sources
    assert (source.name, source.bucket, source.prefix) == ("process", "sources", "images/")
    assert source.events == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]


def test_every_type_of_upload_reaches_the_function_as_bytes(load_app):
    app = load_app("image_api", ENVIRONMENT).app
    assert set(app.routes["/images"]["POST"].content_types) <= set(app.api.binary_types)
    assert "application/json" not in app.api.binary_types


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"API_AUTH": "off"}, "it must be one of iam"),
        ({"DESTINATION_BUCKET": "sources"}, "processed again, without end"),
        ({"SOURCE_BUCKET": ""}, "SOURCE_BUCKET is not set"),
    ],
)
def test_a_wrong_setting_stops_the_import(load_app, change, said):
    with pytest.raises(ValueError, match=said):
        load_app("image_api", ENVIRONMENT | change)


def test_uploads_are_admitted_by_the_memory_that_process_has():
    config = json.loads(CONFIG.read_text(encoding="utf-8"))
    for stage in config["stages"].values():
        functions = config["lambda_functions"]["process"] | stage.get("lambda_functions", {}).get(
            "process", {}
        )
        variables = config["environment_variables"] | stage.get("environment_variables", {})
        memory = functions["lambda_memory_size"]
        assert variables["PROCESS_MEMORY_MB"] == str(memory)
        assert memory * MIB == DEFAULT_PROCESS_MEMORY
