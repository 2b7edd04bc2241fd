"""A Chalice part as a CloudFormation stack of its own, with a function for each operation.

`chalice package` makes the template and the zip file; the part's module `per_operation` gives what
is merged into it.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import chalice, record
from deploy.gateway import GatewaySettings
from deploy.template import StackTemplate

_LOG_RETENTION = "LogRetentionDays"


@dataclass(frozen=True)
class Package:
    """What `chalice package` made: the template, and the file its functions run from."""

    document: dict[str, Any]
    code: Path

    def template(self, stack: str, code_url: str, tags: Mapping[str, str]) -> StackTemplate:
        """Return the stack's template, with the functions' code at `code_url`.

        Raises SettingsError: the template is too long for a request.
        """
        document: dict[str, Any] = json.loads(json.dumps(self.document))
        document["Globals"]["Function"]["CodeUri"] = code_url
        for resource in document["Resources"].values():
            if "CodeUri" in resource.get("Properties", {}):
                resource["Properties"]["CodeUri"] = code_url
        return StackTemplate(stack, document, tags=tags)


def stage_config(directory: Path, stage: str) -> dict[str, Any]:
    """Return config.json as Chalice resolves it for the stage: its keys over those of the file."""
    config = record.read_config(directory / ".chalice" / "config.json")
    settings = config.get("stages", {}).get(stage, {})
    variables = {
        **config.get("environment_variables", {}),
        **settings.get("environment_variables", {}),
    }
    return {**config, **settings, "environment_variables": variables}


def is_recorded(directory: Path, stage: str) -> bool:
    """Whether the outputs of the stage's stack are recorded, without which it has no package."""
    functions = stage_config(directory, stage).get("lambda_functions", {})
    return "iam_policy_file" in functions.get("api_handler", {})


def package(
    directory: Path,
    stage: str,
    merge_template: Mapping[str, Any],
    output: Path,
    on_line: Callable[[str], None],
) -> Package:
    """Run `chalice package` and return what it made in the folder `output`.

    Raises ChaliceError: it failed.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(merge_template, file)
        file.flush()
        options = ["--merge-template", file.name, str(output)]
        chalice.run(directory, "package", stage, on_line, options)
    document = json.loads((output / "sam.json").read_text(encoding="utf-8"))
    return Package(document, output / "deployment.zip")


def merge_template(
    modules: tuple[Any, Any],
    directory: Path,
    stage: str,
    outputs: Mapping[str, str],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the merge template of the part's modules `per_operation` and `gateway`.

    `settings` is the stage's table of stages.toml. Raises SettingsError: it is wrong.
    """
    per_operation, gateway = modules
    config = stage_config(directory, stage)
    gateway_settings = GatewaySettings.of(settings.get("gateway", {}))
    throttle, plan = gateway_settings.throttle, gateway_settings.usage_plan
    merged: dict[str, Any] = per_operation.merge_template(
        per_operation.Stage(
            name=stage,
            config=config,
            outputs=outputs,
            log_retention_days=int(settings.get("parameters", {}).get(_LOG_RETENTION, 30)),
            responses=gateway.responses(config["environment_variables"]),
            access_log_format=gateway.ACCESS_LOG_FORMAT,
            rate_limit=throttle and throttle.rate_limit,
            burst_limit=throttle and throttle.burst_limit,
            usage_plan=plan
            and {
                "Throttle": {
                    "RateLimit": plan.throttle.rate_limit,
                    "BurstLimit": plan.throttle.burst_limit,
                },
                "Quota": {"Limit": plan.quota, "Period": plan.period},
            },
        )
    )
    return merged
