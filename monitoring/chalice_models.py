"""Prints, as JSON, what a Chalice project deploys: `python -P chalice_models.py PROJECT STAGE`.

That is the functions and the API, as Chalice models them, the templates of the data it owns, from
its `resources.py`, and what `python -m deploy --per-operation` would merge into Chalice's template.

Chalice imports a project as the top-level module `app` and changes this process's environment and
`sys.path` to do so. Every project has that same module, so each is read in a process of its own:
`monitoring.inventory` runs this file and reads what it prints.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalice.cli.factory import CLIFactory
from chalice.deploy import models
from chalice.deploy.appgraph import ApplicationGraphBuilder
from troposphere import Template

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
    """Return an application as Chalice models it.

    That is `{"name", "functions": [...], "rest_api", "bucket_events": {bucket: function}}`.
    """
    functions: dict[str, dict[str, Any]] = {}
    asynchronous: set[str] = set()
    bucket_events: dict[str, str] = {}
    rest_api = None
    for model in _walk(application):
        if isinstance(model, models.LambdaFunction):
            functions[model.resource_name] = {
                "key": model.resource_name,
                "name": model.function_name,
                "timeout_seconds": model.timeout,
                "reserved_concurrency": model.reserved_concurrency,
            }
        elif isinstance(model, models.RestAPI):
            # Chalice titles the imported API with the application's name, in every stage.
            rest_api = {"name": app_name, "stage": model.api_gateway_stage}
        elif isinstance(model, _ASYNCHRONOUS):
            asynchronous.add(model.lambda_function.resource_name)
            if isinstance(model, models.S3BucketNotification):
                bucket_events[model.bucket] = model.lambda_function.resource_name
    return {
        "name": app_name,
        "functions": [
            {**functions[key], "asynchronous": key in asynchronous} for key in sorted(functions)
        ],
        "rest_api": rest_api,
        "bucket_events": bucket_events,
    }


def templates(project: Path) -> dict[str, dict[str, Any]]:
    """Return every template of a project's `resources.py`, by the function that makes it.

    Every public function there counts that needs no arguments and says it returns a Template.
    """
    path = project / "resources.py"
    if not path.exists():
        return {}
    spec = importlib.util.spec_from_file_location(f"{project.name}.resources", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return {
        name: function().to_dict()
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and _makes_template(name, function)
    }


def per_operation(project: Path, stage: str) -> dict[str, Any] | None:
    """Return what is merged into Chalice's template for a function an operation; None: nothing.

    The outputs that only a deployment has are left empty: no name depends on them.
    """
    if not (project / "per_operation.py").exists():
        return None
    # Only such a project needs it, and it is there wherever one can be deployed.
    from deploy import packaged

    names = (f"{project.name}.per_operation", f"{project.name}.gateway")
    modules = importlib.import_module(names[0]), importlib.import_module(names[1])
    return packaged.merge_template(modules, project, stage, defaultdict(str), {})


def _makes_template(name: str, function: Any) -> bool:
    signature = inspect.signature(function)
    return (
        not name.startswith("_")
        and signature.return_annotation in (Template, "Template")
        and all(
            parameter.default is not parameter.empty for parameter in signature.parameters.values()
        )
    )


def main() -> int:
    """Read the project and the stage named on the command line."""
    project, stage = sys.argv[1:]
    # As `python -m deploy` imports a project: with the folder around it on the path.
    sys.path.append(str(Path(project).resolve().parent))
    with contextlib.redirect_stdout(sys.stderr):  # an app may print while it is imported
        factory = CLIFactory(project, environ=os.environ)
        # Imports the project. The next configuration finds it imported.
        _ = factory.create_config_obj(chalice_stage_name="local").chalice_app
        config = factory.create_config_obj(chalice_stage_name=stage)
        application = ApplicationGraphBuilder().build(config, stage)
        described = describe(application, config.app_name)
        described["routes"] = {
            path: sorted(methods) for path, methods in sorted(config.chalice_app.routes.items())
        }
        described["templates"] = templates(Path(project))
        described["per_operation"] = per_operation(Path(project), stage)
    print(json.dumps(described))
    return 0


if __name__ == "__main__":
    sys.exit(main())
