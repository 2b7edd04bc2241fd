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

from troposphere import Parameter, Ref, Template

from monitoring import (
    alarms,
    composites,
    context,
    dashboard,
    forwarding,
    inventory,
    naming,
    notifications,
    oam,
    organization,
    package,
    remediation,
    routing,
    thresholds,
)
from monitoring.inventory import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitoring.thresholds import Thresholds

WORKLOAD_PARAMETERS_FROM_MONITORING = {
    "ActionRoleArn": "ActionRoleArn",
    "EventBusArn": "EventBusArn",
    "ExternalId": "ExternalId",
    "SinkArn": "SinkArn",
}
"""Parameters of the workload stack, and the outputs of the monitoring stack that fill them in."""

# What the templates do on purpose, by the rules of cdk-nag's packs beside AwsSolutions.
_BACKED_UP = (
    "DynamoDBInBackupPlan",
    (
        "what the actions did lately, and restorable to each second; a plan of AWS Backup is the "
        "account's"
    ),
)
_LAST_QUEUES = (
    "SQSRedrivePolicy",
    "dead-letter queues have none, and nothing takes from the others and fails",
)
_OWN_POLICIES = (
    "IAMNoInlinePolicy",
    "each policy is for its role alone: inline, nothing else can attach it, and it goes with it",
)


def services(stage: str) -> tuple[Service, ...]:
    """Return every service of the workload account that is watched, as it is in that stage.

    Raises InventoryError: a project cannot be read, has no such stage, or has no owner.
    """
    found = [inventory.read(project, stage) for project in inventory.projects()]
    return inventory.owned(found, inventory.owners())


def artifacts() -> dict[str, bytes]:
    """Return what has to be in the artifact bucket before the monitoring stack, by its key."""
    return {package.key(): package.archive()}


def monitoring_template(
    stage: str, watched: Sequence[Service], numbers: Thresholds | None = None
) -> Template:
    """Return the template of the monitoring account.

    It also watches itself, and what the workload stack adds to the workload account.

    Raises ValueError: the stage's name cannot be used, a threshold is wrong, or a limit of AWS is
    exceeded.
    Raises InventoryError: something of its own cannot be watched.
    """
    naming.check_stage(stage)
    numbers = numbers or thresholds.load()
    template = Template(
        Description=f"Watches the stage {stage}",
        Metadata=context.architecture(
            "The workload account's metrics come through the sink to the alarms of each service. "
            "EventBridge rules send changes of the composite alarms to a topic a severity, every "
            "change to the queue notifications, and some of them to the queue of the actions."
        )
        | context.unlike_cdk_nag(
            (
                "CloudWatchAlarmAction",
                (
                    "EventBridge rules act on each change of a composite alarm; an alarm inside "
                    "one tells nobody by itself"
                ),
            ),
            _BACKED_UP,
            _OWN_POLICIES,
            ("LambdaConcurrency", "its event source mapping limits it to two at a time"),
            ("LambdaDLQ", "it is invoked by a queue, which has the dead-letter queue"),
            (
                "LambdaEventSourceMappingDestination",
                "its queue has the dead-letter queue; a destination is for streams",
            ),
            (
                "LambdaInsideVPC",
                "it calls AWS's APIs alone: a VPC would add endpoints to reach them",
            ),
            ("LambdaLatestVersion", "the same Python as the apps' functions, which Chalice sets"),
            (
                "LambdaStarPermissions",
                (
                    "CloudWatch allows a search for composite alarms on all alarms alone (API "
                    "reference, DescribeAlarms)"
                ),
            ),
            ("LambdaTracing", "nobody waits for it; its log and table have each of its steps"),
            _LAST_QUEUES,
        ),
    )
    template.set_version("2010-09-09")
    _add_foundations(template, stage)
    composites.add_anomaly_condition(template)
    oam.add_sink(template, stage)
    forwarding.add_bus(template, stage)

    every = (*watched, *own_services(stage, watched))
    rules = tuple(routing.rules(stage, every, numbers))
    remediation.add_actions(
        template, stage, [rule.logical_id for rule in rules if rule.target == "Actions"]
    )
    notifications.add_dead_letters(
        template,
        [rule.logical_id for rule in rules] + [forwarding.STACKS_RULE, forwarding.HEALTH_RULE],
    )
    for rule in rules:
        routing.add(template, rule)
    made = {service.name: tuple(alarms.of(service, numbers)) for service in every}
    for service in every:
        for alarm in made[service.name]:
            resource = template.add_resource(alarms.resource(alarm, stage))
            if alarm.subject == "DeadLetters":
                # By itself: a rule that is broken must not hide that it is.
                resource.AlarmActions = [Ref(notifications.topic(alarm.severity))]
        composites.add(template, stage, service, made[service.name])
    dashboard.add(template, stage, made)
    return template


def own_services(stage: str, watched: Sequence[Service]) -> tuple[Service, ...]:
    """Return what the two stacks here add themselves, to be watched like everything else.

    Names and purposes of queues, tables and functions do not depend on the alarms on them, so a
    template without those says what there is.
    """
    bare = Template()
    _add_foundations(bare, stage)
    notifications.add_dead_letters(bare, ())
    remediation.add_actions(bare, stage, ())
    own = inventory.with_template(
        Service("monitoring", account="monitoring"), bare.to_dict(), naming.stack(stage)
    )
    beside = inventory.with_template(
        Service("monitoring_workload"),
        workload_template(stage, watched).to_dict(),
        naming.workload_stack(stage),
    )
    return inventory.owned((own, beside), inventory.owners())


def _add_foundations(template: Template, stage: str) -> None:
    for parameter in _parameters():
        template.add_parameter(parameter)
    organization.add_parameter(template)
    notifications.add_key(template, stage)
    notifications.add_topics(template, stage)
    notifications.add_inbox(template, routing.RECORD)
    notifications.add_subscriptions(template)


def _parameters() -> list[Parameter]:
    email, https = r"([^@\s]+@[^@\s]+)?", r"(https://\S+)?"
    return [
        Parameter(
            "WorkloadAccountId",
            Type="String",
            AllowedPattern=r"\d{12}",
            Description="The account whose functions are watched; the only one that may link",
        ),
        *(
            Parameter(
                f"{prefix}{kind}",
                Type="String",
                Default="",
                AllowedPattern=pattern,
                Description=f"{what} for what is {severity}; it has to confirm. Empty: none",
            )
            for prefix, severity in (("Alert", "critical"), ("Warning", "a warning"))
            for kind, pattern, what in (
                ("Email", email, "An address"),
                ("HttpsEndpoint", https, "An endpoint"),
            )
        ),
        Parameter(
            "RunbookUrl",
            Type="String",
            Default="docs/runbooks",
            Description="Where the folder docs/runbooks is published; messages link to it",
        ),
        Parameter(
            "AccountConcurrency",
            Type="Number",
            Default=1000,
            MinValue=10,
            Description="The workload account's quota of concurrent executions",
        ),
        Parameter(
            "AnomalyDetection",
            Type="String",
            Default="false",
            AllowedValues=["true", "false"],
            Description="Alarms on unusual traffic as well; CloudWatch learns for two weeks",
        ),
        *remediation.parameters(),
    ]


def workload_template(stage: str, watched: Sequence[Service]) -> Template:
    """Return the template of the workload account.

    Raises ValueError: the stage's name cannot be used, or a limit of AWS is exceeded.
    """
    naming.check_stage(stage)
    if not remediation.asynchronous(watched):
        raise ValueError("no service has an asynchronous function that an action could cap")
    template = Template(
        Description=f"Lets the monitoring account watch the stage {stage}",
        Metadata=context.architecture(
            "A link shares metrics and logs with the monitoring account's sink; rules forward "
            "what has no metric; a role lets that account's actions cap asynchronous functions "
            "and send their failed events again."
        )
        | context.unlike_cdk_nag(_OWN_POLICIES, _LAST_QUEUES),
    )
    template.set_version("2010-09-09")
    for name, pattern in (
        ("SinkArn", r"arn:[a-z-]+:oam:[a-z0-9-]+:\d{12}:sink/.+"),
        ("ActionRoleArn", r"arn:[a-z-]+:iam::\d{12}:role/.+"),
        ("EventBusArn", r"arn:[a-z-]+:events:[a-z0-9-]+:\d{12}:event-bus/.+"),
        ("ExternalId", r"\S{2,}"),
    ):
        template.add_parameter(
            Parameter(
                name,
                Type="String",
                AllowedPattern=pattern,
                Description="Output of the monitoring stack",
            )
        )
    organization.add_parameter(template)
    functions = [function.name for service in watched for function in service.functions]
    oam.add_link(template, functions)
    forwarding.add_forwarding(
        template,
        stage,
        [
            *(f"{service.name.replace('_', '-')}-{stage}" for service in watched),
            naming.workload_stack(stage),
        ],
    )
    remediation.add_workload_role(template, stage, watched)
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
