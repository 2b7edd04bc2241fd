"""Print what `chalice deploy` would deploy, as JSON: a program of its own, run in the project.

Standard input has `stage` and `config`, the content of config.json. Chalice has no command for
this, so the classes behind `chalice deploy` 1.34 are used up to the point where it would call AWS:
they read the app, package it and write the API's definition. `deploy.model` reads the answer.
"""

import functools
import json
import os
import sys
from pathlib import Path
from typing import Any

from chalice.cli.factory import CLIFactory
from chalice.config import Config
from chalice.constants import (
    DEFAULT_APIGATEWAY_STAGE_NAME,
    DEFAULT_ENDPOINT_TYPE,
)
from chalice.deploy import models
from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
from chalice.deploy.deployer import (
    BuildStage,
    DeploymentPackager,
    InjectDefaults,
    SwaggerBuilder,
)
from chalice.deploy.packager import (
    DependencyBuilder as PackageBuilder,
)
from chalice.deploy.packager import (
    LambdaDeploymentPackager,
    PipRunner,
    SubprocessPip,
)
from chalice.deploy.swagger import TemplatedSwaggerGenerator
from chalice.utils import UI, OSUtils

# The app finds no modules of this project but its own, as on Lambda.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from deploy import packing

del sys.path[0]


def main() -> None:
    """Answer the request on standard input."""
    packing.install()
    request = json.load(sys.stdin)
    config = _config(request["config"], request["stage"])
    application = ApplicationGraphBuilder().build(config, request["stage"])
    # Packaging tells what it does; standard output is for the answer.
    _build_stage(config, UI(out=sys.stderr)).execute(
        config, DependencyBuilder().build_dependencies(application)
    )
    resources = DependencyBuilder().build_dependencies(application)
    functions = [each for each in resources if isinstance(each, models.LambdaFunction)]
    json.dump(
        {
            "functions": {each.function_name: _function(each) for each in functions},
            "routes": _routes(resources),
            "events": [
                [each.bucket, each.lambda_function.function_name]
                for each in resources
                if isinstance(each, models.S3BucketNotification)
            ],
            "package": functions[0].deployment_package.filename if functions else None,
        },
        sys.stdout,
    )


def _config(document: dict[str, Any], stage: str) -> Config:
    factory = CLIFactory(str(Path.cwd()), environ=os.environ)
    given: dict[str, Any] = {}
    config = Config(
        chalice_stage=stage,
        user_provided_params=given,
        config_from_disk=document,
        default_params={
            "project_dir": str(Path.cwd()),
            "api_gateway_stage": DEFAULT_APIGATEWAY_STAGE_NAME,
            "api_gateway_endpoint_type": DEFAULT_ENDPOINT_TYPE,
            "autogen_policy": True,
        },
    )
    given["chalice_app"] = functools.partial(factory.load_chalice_app, config.environment_variables)
    return config


def _build_stage(config: Config, ui: UI) -> BuildStage:
    osutils = OSUtils()
    packages = PackageBuilder(
        osutils=osutils,
        pip_runner=PipRunner(pip=SubprocessPip(osutils=osutils), osutils=osutils),
        architecture=config.lambda_architecture,
    )
    packager = LambdaDeploymentPackager(
        osutils=osutils,
        dependency_builder=packages,
        ui=ui,
        architecture=config.lambda_architecture,
    )
    return BuildStage(
        steps=[
            InjectDefaults(),
            DeploymentPackager(packager),
            SwaggerBuilder(TemplatedSwaggerGenerator()),
        ]
    )


def _function(function: models.LambdaFunction) -> dict[str, Any]:
    return {
        "name": function.resource_name,
        "memory_mb": function.memory_size,
        "timeout_s": function.timeout,
        "runtime": function.runtime,
        "handler": function.handler,
        "architecture": function.architecture,
        "environment": function.environment_variables,
    }


def _routes(resources: list[models.Model]) -> dict[str, str]:
    """Return how each route is authorized, as API Gateway calls it."""
    routes = {}
    for resource in resources:
        if isinstance(resource, models.RestAPI):
            document: Any = resource.swagger_doc
            definitions = document.get("securityDefinitions", {})
            for path, methods in document["paths"].items():
                for method, operation in methods.items():
                    routes[f"{method.upper()} {path}"] = _authorization(operation, definitions)
    return routes


def _authorization(operation: dict[str, Any], definitions: dict[str, Any]) -> str:
    kinds = {
        "awsSigv4": "AWS_IAM",
        "cognito_user_pools": "COGNITO_USER_POOLS",
        "custom": "CUSTOM",
    }
    for requirement in operation.get("security", ()):
        for name in requirement:
            kind = definitions.get(name, {}).get("x-amazon-apigateway-authtype")
            if kind in kinds:
                return kinds[kind]
    return "NONE"


if __name__ == "__main__":
    main()
