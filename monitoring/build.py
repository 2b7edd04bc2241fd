"""Writes the two monitoring templates: `python monitoring/build.py [--stage STAGE] [--output DIR]`.

`monitoring.json` is for the monitoring account, `workload.json` for the account whose functions it
watches. The monitoring stack goes first: its sink names the workload account, and the workload
stack needs three of its outputs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:
    # As a script this folder is on the path, and its modules would hide others of the same name.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from troposphere import Parameter, Template

from monitoring import alarms, context, inventory, naming, notifications, oam, remediation, routing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitoring.inventory import Service

WORKLOAD_PARAMETERS_FROM_MONITORING = {
    "SinkArn": "SinkArn",
    "ActionRoleArn": "ActionRoleArn",
    "ExternalId": "ExternalId",
}
"""Parameters of the workload stack, and the outputs of the monitoring stack that fill them in."""


def services(stage: str) -> tuple[Service, ...]:
    """Return every service that is watched, as it is in that stage.

    Raises InventoryError: a project cannot be read, or has no such stage.
    """
    return tuple(inventory.read(project, stage) for project in inventory.PROJECTS)


def monitoring_template(stage: str, watched: Sequence[Service]) -> Template:
    """Return the template of the monitoring account.

    Raises ValueError: the stage's name cannot be used, or a limit of AWS is exceeded.
    """
    naming.check_stage(stage)
    template = Template(
        Description=f"Watches the Lambda functions of the stage {stage}",
        Metadata=context.architecture(
            "The workload account's metrics come through the sink to one alarm a function and "
            "condition; EventBridge rules send changes of state to the topic, and those of "
            "asynchronous functions' error rates to the action as well."
        ),
    )
    template.set_version("2010-09-09")
    for parameter in (
        Parameter(
            "WorkloadAccountId",
            Type="String",
            AllowedPattern=r"\d{12}",
            Description="The account whose functions are watched; the only one that may link",
        ),
        Parameter(
            "AlertEmail",
            Type="String",
            Default="",
            AllowedPattern=r"([^@\s]+@[^@\s]+)?",
            Description="An address for the notifications; it has to confirm. Empty: none",
        ),
        Parameter(
            "AlertHttpsEndpoint",
            Type="String",
            Default="",
            AllowedPattern=r"(https://\S+)?",
            Description="An endpoint for the notifications; it has to confirm. Empty: none",
        ),
        Parameter(
            "DryRun",
            Type="String",
            Default="true",
            AllowedValues=["true", "false"],
            Description="The action tells what it would do, and does nothing",
        ),
        Parameter(
            "ConcurrencyCap",
            Type="Number",
            Default=1,
            MinValue=0,
            MaxValue=100,
            Description="Executions left to a function that fails; 0 pauses it",
        ),
    ):
        template.add_parameter(parameter)

    oam.add_sink(template, stage)
    notifications.add_key(template, stage)
    notifications.add_topic(template, stage)
    notifications.add_inbox(template)
    notifications.add_subscriptions(template)
    for service in watched:
        for alarm in alarms.of(service):
            template.add_resource(alarms.resource(alarm, stage))
    routing.add_notification_rules(template, stage, [service.name for service in watched])
    capped = remediation.targets(watched, stage)
    remediation.add_action(template, stage, capped)
    routing.add_action_rule(template, capped)
    notifications.add_dead_letters(template, stage, routing.RULES)
    return template


def workload_template(stage: str, watched: Sequence[Service]) -> Template:
    """Return the template of the workload account."""
    naming.check_stage(stage)
    template = Template(
        Description=f"Lets the monitoring account watch the stage {stage}",
        Metadata=context.architecture(
            "A link shares metrics with the monitoring account's sink; a role lets that account's "
            "action cap the concurrency of asynchronous functions."
        ),
    )
    template.set_version("2010-09-09")
    for parameter in (
        Parameter(
            "SinkArn",
            Type="String",
            AllowedPattern=r"arn:[a-z-]+:oam:[a-z0-9-]+:\d{12}:sink/.+",
            Description="Output of the monitoring stack",
        ),
        Parameter(
            "ActionRoleArn",
            Type="String",
            AllowedPattern=r"arn:[a-z-]+:iam::\d{12}:role/.+",
            Description="Output of the monitoring stack",
        ),
        Parameter(
            "ExternalId",
            Type="String",
            MinLength=2,
            Description="Output of the monitoring stack",
        ),
    ):
        template.add_parameter(parameter)
    oam.add_link(template)
    remediation.add_workload_role(template, stage, remediation.targets(watched, stage).values())
    return template


def templates(stage: str) -> dict[str, Template]:
    """Return both templates of a stage by the name of their file, in the order they are deployed.

    Raises InventoryError: a project cannot be read, or has no such stage.
    Raises ValueError: the stage's name cannot be used, or a limit of AWS is exceeded.
    """
    watched = services(stage)
    return {
        "monitoring": monitoring_template(stage, watched),
        "workload": workload_template(stage, watched),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both templates and print their paths; return the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="python monitoring/build.py",
        description="Write monitoring.json (for the monitoring account) and workload.json "
        "(for the account that it watches).",
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, default=Path("build"), help="default: build/"
    )
    parser.add_argument(
        "--stage", default="prod", help="a stage of the Chalice projects (default: prod)"
    )
    options = parser.parse_args(arguments)
    try:
        built = templates(options.stage)
        options.output.mkdir(parents=True, exist_ok=True)
        for name, template in built.items():
            path = options.output / f"{name}.json"
            path.write_text(template.to_json() + "\n")
            print(path)
    except (inventory.InventoryError, ValueError, OSError) as error:
        print(f"monitoring/build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
