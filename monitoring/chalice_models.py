"""Prints, as JSON, what Chalice would deploy: `python -P chalice_models.py PROJECT STAGE`.

Chalice imports a project as the top-level module `app` and changes this process's environment and
`sys.path` to do so. Every project has that same module, so each is read in a process of its own:
`monitoring.inventory` runs this file and reads what it prints.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from chalice.cli.factory import CLIFactory
from chalice.deploy import models
from chalice.deploy.appgraph import ApplicationGraphBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator

# Lambda invokes these asynchronously: it queues the event, and retries one it throttled for hours.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
_ASYNCHRONOUS = (
    models.S3BucketNotification,
    models.SNSLambdaSubscription,
    models.CloudWatchEventBase,
)


def _walk(model: models.Model) -> Iterator[models.Model]:
    yield model
    for dependency in model.dependencies():
        yield from _walk(dependency)


def describe(application: models.Application, app_name: str) -> dict[str, Any]:
    """Return `{"name", "functions": [...], "rest_api"}` of an application as Chalice models it."""
    functions: dict[str, dict[str, Any]] = {}
    asynchronous: set[str] = set()
    rest_api = None
    for model in _walk(application):
        if isinstance(model, models.LambdaFunction):
            functions[model.resource_name] = {
                "key": model.resource_name,
                "name": model.function_name,
                "timeout_seconds": model.timeout,
            }
        elif isinstance(model, models.RestAPI):
            # Chalice titles the imported API with the application's name, in every stage.
            rest_api = {"name": app_name, "stage": model.api_gateway_stage}
        elif isinstance(model, _ASYNCHRONOUS):
            asynchronous.add(model.lambda_function.resource_name)
    return {
        "name": app_name,
        "functions": [
            {**functions[key], "asynchronous": key in asynchronous} for key in sorted(functions)
        ],
        "rest_api": rest_api,
    }


def main() -> int:
    """Read the project and the stage named on the command line."""
    project, stage = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):  # an app may print while it is imported
        factory = CLIFactory(project, environ=os.environ)
        # Imports the project. The next configuration finds it imported.
        _ = factory.create_config_obj(chalice_stage_name="local").chalice_app
        config = factory.create_config_obj(chalice_stage_name=stage)
        application = ApplicationGraphBuilder().build(config, stage)
    print(json.dumps(describe(application, config.app_name)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
