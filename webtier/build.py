"""Write the web tier's CloudFormation template: `python webtier/build.py --help`."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Output, Ref, Template

if not __package__:
    # Run as a file, Python looks beside it; the package is one folder up.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from webtier import (
    access_logs,
    alarms,
    alerts,
    artifact,
    compute,
    console,
    dashboard,
    database,
    database_cluster,
    database_events,
    database_instance,
    default_security_group,
    encryption,
    endpoints,
    firewall,
    flow_logs,
    instance_role,
    load_balancer,
    network,
    parameters,
    scaling,
    security_groups,
    tags,
)
from webtier.options import DESCRIPTIONS, Database, Description, Options, flag_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FILE_NAME = "webtier.json"
_DATABASES = {
    Database.INSTANCE: database_instance.build,
    Database.REPLICA: database_instance.build,
    Database.CLUSTER: database_cluster.build,
}


def template(options: Options) -> Template:
    """The whole stack: every tier, tagged; the same options give the same template."""
    key = encryption.build()
    net = network.build(options)
    groups = security_groups.build(options, net.vpc, compute.PORT, database.PORT)
    logs = access_logs.build(options.log_days)
    front = load_balancer.build(options, net, groups.load_balancer, logs, compute.PORT)
    wall = firewall.build(front, key, options.log_days) if options.firewall else None
    data = _DATABASES[options.database](options, database.foundation(net, groups.database, key))
    granted = instance_role.permissions(data, key, compute.NAME)
    role = instance_role.build(granted)
    interfaces = endpoints.interfaces(net, groups.endpoints, granted) if groups.endpoints else ()
    to_s3 = endpoints.s3(net, granted)
    ways_out = (to_s3, *net.nat_routes, *interfaces)
    application = compute.build(
        options, net, groups.application, front, role.profile, data, ways_out
    )
    topic = alerts.build(key, data)
    watching = alarms.build(
        alarms.Watched(
            options, front, application.group, net.nat_gateways, data, topic.topic, wall is not None
        )
    )
    board = dashboard.build(front, application.group, data, watching)

    built = Template(
        Description=f"A scalable web application over {options.zones} zones: load balancer, "
        "Auto Scaling group and Multi-AZ PostgreSQL"
    )
    built.set_version()
    parameters.add_to(built, options)
    for resources in (
        (key,),
        net.resources,
        flow_logs.build(net.vpc, key, options.log_days),
        default_security_group.build(net.vpc, key, options.log_days),
        groups.resources,
        (to_s3, *interfaces),
        logs.resources,
        front.resources,
        wall.resources if wall else (),
        data.resources,
        role.resources,
        application.resources,
        scaling.build(options, application.group, front),
        topic.resources,
        (database_events.build(data, topic.topic, topic.policy),),
        watching,
        (board,),
    ):
        tags.tag_all(resources)
        built.add_resource(list(resources))
    for output in _outputs(front, application, data, topic, board, logs):
        built.add_output(output)
    return built


def _outputs(
    front: load_balancer.Front,
    application: compute.Compute,
    data: database.Database,
    topic: alerts.Alerts,
    board: Any,
    logs: access_logs.AccessLogs,
) -> list[Output]:
    described = {
        "LoadBalancerDnsName": (
            "Where the application answers; give the certificate's domain an alias to it",
            GetAtt(front.load_balancer, "DNSName"),
        ),
        "LoadBalancerHostedZoneId": (
            "The hosted zone of that name, for a Route 53 alias record",
            GetAtt(front.load_balancer, "CanonicalHostedZoneID"),
        ),
        "GroupName": ("The Auto Scaling group", Ref(application.group)),
        "DatabaseEndpoint": ("The database's host name", data.endpoint),
        "DatabaseReaderEndpoint": ("A host name for reading alone", data.reader_endpoint),
        "DatabaseSecretArn": (
            "The administrator's user name and password; RDS replaces it every seven days",
            data.secret_arn,
        ),
        "AlertsTopicArn": ("The topic every alarm notifies", Ref(topic.topic)),
        "DashboardName": ("The dashboard in CloudWatch", Ref(board)),
        "AccessLogsBucket": ("The load balancer's access logs", Ref(logs.bucket)),
    }
    return [
        Output(name, Description=description, Value=value)
        for name, (description, value) in described.items()
        if value is not None
    ]


def application(
    settings: Mapping[str, Any], look: artifact.Look | None = None
) -> artifact.Artifact:
    """What the instances run at a stage with those settings.

    `application` is the path of the user's own artifact; without it the project's own is built, for
    the targets in `artifact.targets`, and `look` is shown their packages. Raises ArtifactError.
    """
    if own := settings.get("application"):
        return artifact.given(Path(own))
    targets = settings.get("artifact", {}).get("targets", artifact.INSTANCES)
    return artifact.build(targets, look=look)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 1 when nothing could be written."""
    parser = argparse.ArgumentParser(
        prog="python webtier/build.py",
        # All of them would bury the line that says what is wrong.
        usage="%(prog)s [--help] [OPTION ...]",
        description="Write the web tier's CloudFormation template and print its path.",
        epilog="Examples: python webtier/build.py --zones 3 --nat one --database cluster; "
        "python webtier/build.py --architecture x86_64 --spot-percent 50 "
        "--schedule '0 7 * * MON-FRI = 4' --schedule '0 19 * * MON-FRI = 2'",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("build"), metavar="DIR", help="default: build"
    )
    parser.add_argument(
        "--costs", action="store_true", help="print what the stack costs a month, too"
    )
    for field in dataclasses.fields(Options):
        _add_argument(parser, field.name, field.default)
    given = vars(parser.parse_args(arguments))
    output, costs = given.pop("output"), given.pop("costs")
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    try:
        options = Options(**given | lists)
    except ValueError as error:
        parser.error(str(error))
    built = template(options)
    try:
        path = write(built, output)
    except OSError as error:
        # What exists already and is in the way is no directory.
        problem = "not a directory" if isinstance(error, FileExistsError) else error.strerror
        print(f"{parser.prog}: cannot write to {output}: {problem}", file=sys.stderr)
        return 1
    print(path)
    if costs:
        print("", *_costs(built), sep="\n")
    return 0


def _costs(built: Template) -> Iterator[str]:
    # Only for this, which most do not ask for.
    from webtier.costs import estimate, prices, report
    from webtier.drill import reading

    body = built.to_dict()
    return report.text(estimate.month(body, prices.load(), reading.stand_ins(body)))


def _add_argument(parser: argparse.ArgumentParser, name: str, default: Any) -> None:
    """The argument of an option: a switch, a list, a choice or a value."""
    described = DESCRIPTIONS[name]
    flag = f"--{flag_name(name)}"
    if isinstance(default, bool):
        parser.add_argument(
            flag,
            action=argparse.BooleanOptionalAction,
            default=default,
            help=f"{described.text} (default: {'on' if default else 'off'})",
        )
        return
    if isinstance(default, tuple):
        parser.add_argument(
            flag,
            action="append",
            default=[],
            type=_argument_type(described),
            metavar=described.metavar,
            help=described.text,
        )
        return
    parser.add_argument(
        flag,
        default=default,
        type=_argument_type(described),
        choices=list(type(default)) if isinstance(default, Enum) else None,
        metavar=described.metavar,
        help=f"{described.text} (default: %(default)s)",
    )


def _argument_type(described: Description) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return described.read(text)
        except ValueError as error:
            # Of any other error argparse tells the type's name alone.
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


def write(built: Template, directory: Path) -> Path:
    """Write the template into the directory, whole or not at all, and return its path.

    Raises OSError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / FILE_NAME
    with tempfile.TemporaryDirectory(dir=directory, prefix=".build-") as scratch:
        partial = Path(scratch) / FILE_NAME
        partial.write_text(built.to_json(indent=2) + "\n", encoding="utf-8")
        partial.replace(target)
    return target


if __name__ == "__main__":
    sys.exit(console.ended(main))
