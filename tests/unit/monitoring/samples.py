"""Services as `monitoring.inventory` reads them, and a Chalice project to read."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import strategies

from monitoring.inventory import Function, RestApi, Service

SERVICES = (
    Service(
        name="image_api",
        functions=(
            Function("api_handler", "image_api-prod", 29, asynchronous=False),
            Function("process", "image_api-prod-process", 120, asynchronous=True),
        ),
        rest_api=RestApi("image_api", "api"),
    ),
    Service(
        name="crud_api",
        functions=(Function("api_handler", "crud_api-prod", 20, asynchronous=False),),
        rest_api=RestApi("crud_api", "api"),
    ),
)

APP = """
import os
from chalice import Chalice

if os.environ["OPEN"] != "true":
    raise ValueError("a stage that is not open needs more variables, recorded at its deployment")
app = Chalice(app_name="shop")
print("an import may print")


@app.route("/")
def index():
    return {}


@app.on_s3_event(bucket=os.environ["BUCKET"], name="process")
def process(event):
    pass
"""

CONFIG = {
    "version": "2.0",
    "app_name": "shop",
    "autogen_policy": False,
    "lambda_timeout": 29,
    "api_gateway_stage": "api",
    "environment_variables": {"OPEN": "false"},
    "stages": {
        "local": {"environment_variables": {"OPEN": "true", "BUCKET": "local-bucket"}},
        "prod": {"lambda_functions": {"process": {"lambda_timeout": 120}}},
    },
}


def chalice_project(directory: Path, app: str = APP) -> Path:
    """Write a Chalice project that has an API and an S3 event into the directory."""
    (directory / ".chalice").mkdir(parents=True)
    (directory / ".chalice" / "config.json").write_text(json.dumps(CONFIG))
    (directory / "app.py").write_text(app)
    return directory


_names = strategies.from_regex(r"[a-z][a-z0-9_]{0,11}", fullmatch=True)


@strategies.composite
def services(draw: strategies.DrawFn) -> tuple[Service, ...]:
    """Up to three services with up to three functions each, at least one of them asynchronous."""
    result = []
    for name in draw(strategies.lists(_names, min_size=1, max_size=3, unique=True)):
        keys = draw(strategies.lists(_names, min_size=1, max_size=3, unique=True))
        functions = tuple(
            Function(
                key,
                f"{name}-prod-{key}",
                draw(strategies.integers(1, 900)),
                asynchronous=(not result and number == 0) or draw(strategies.booleans()),
            )
            for number, key in enumerate(keys)
        )
        api = RestApi(name, "api") if draw(strategies.booleans()) else None
        result.append(Service(name, functions, api))
    return tuple(result)
