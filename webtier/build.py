"""Write the web tier's CloudFormation template: `python webtier/build.py --help`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from troposphere import GetAtt, Output, Ref, Template

if not __package__:
    # Run as a file, Python looks beside it; the package is one folder up.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from webtier import (
    access_logs,
    alerts,
    compute,
    database,
    encryption,
    flow_logs,
    load_balancer,
    network,
    parameters,
    security_groups,
    tags,
)

ZONES = (2, 3)
# Amazon VPC User Guide, "VPC CIDR blocks": at most /16. At /22 a subnet is a /26, which leaves a
# load balancer the eight free addresses it needs in each zone.
VPC_PREFIX_LENGTHS = (16, 22)
FILE_NAME = "webtier.json"

_DEFAULT_RANGE = IPv4Network("10.0.0.0/16")
# RFC 1918, section 3.
_PRIVATE_RANGES = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)


@dataclass(frozen=True)
class Options:
    """What shapes the template itself, as opposed to the stack's parameters.

    Raises ValueError where the values are not possible.
    """

    zones: int = 2
    vpc_cidr: IPv4Network = _DEFAULT_RANGE

    def __post_init__(self) -> None:
        if self.zones not in ZONES:
            raise ValueError(f"zones: {self.zones} is not 2 or 3")
        largest, smallest = VPC_PREFIX_LENGTHS
        if not largest <= self.vpc_cidr.prefixlen <= smallest:
            raise ValueError(
                f"vpc-cidr: {self.vpc_cidr} is not between /{largest} and /{smallest}; "
                f"try {self.vpc_cidr.network_address}/{largest}"
            )
        if not any(self.vpc_cidr.subnet_of(private) for private in _PRIVATE_RANGES):
            raise ValueError(
                f"vpc-cidr: {self.vpc_cidr} is not private; take a range of 10.0.0.0/8, "
                "172.16.0.0/12 or 192.168.0.0/16"
            )


def template(options: Options) -> Template:
    """The whole stack: every tier, tagged; the same options give the same template."""
    key = encryption.build()
    net = network.build(options.vpc_cidr, options.zones)
    groups = security_groups.build(net.vpc, compute.PORT, database.PORT)
    logs = access_logs.build()
    front = load_balancer.build(net, groups.load_balancer, logs, compute.PORT)
    data = database.build(net, groups.database, key)
    application = compute.build(net, groups.application, front, data.instance, key)
    alarms = alerts.build(front, application.group, data.instance, key)

    built = Template(
        Description=f"A scalable web application over {options.zones} zones: load balancer, "
        "Auto Scaling group and Multi-AZ PostgreSQL"
    )
    built.set_version()
    parameters.add_to(built)
    for resources in (
        (key,),
        net.resources,
        flow_logs.build(net.vpc, key),
        groups.resources,
        logs.resources,
        front.resources,
        data.resources,
        application.resources,
        alarms.resources,
    ):
        tags.tag_all(resources)
        built.add_resource(list(resources))
    for name, description, value in (
        (
            "LoadBalancerDnsName",
            "Where the application answers; give the certificate's domain an alias to it",
            GetAtt(front.load_balancer, "DNSName"),
        ),
        (
            "LoadBalancerHostedZoneId",
            "The hosted zone of that name, for a Route 53 alias record",
            GetAtt(front.load_balancer, "CanonicalHostedZoneID"),
        ),
        ("GroupName", "The Auto Scaling group", Ref(application.group)),
        (
            "DatabaseEndpoint",
            "The database's host name",
            GetAtt(data.instance, "Endpoint.Address"),
        ),
        (
            "DatabaseSecretArn",
            "The administrator's user name and password; RDS replaces it every seven days",
            GetAtt(data.instance, "MasterUserSecret.SecretArn"),
        ),
        ("AlertsTopicArn", "The topic every alarm notifies", Ref(alarms.topic)),
    ):
        built.add_output(Output(name, Description=description, Value=value))
    return built


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 1 when nothing could be written."""
    parser = argparse.ArgumentParser(
        prog="python webtier/build.py",
        description="Write the web tier's CloudFormation template and print its path.",
        epilog="Example: python webtier/build.py --zones 3 --vpc-cidr 10.8.0.0/16",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("build"), metavar="DIR", help="default: build"
    )
    parser.add_argument(
        "--zones",
        type=int,
        default=Options.zones,
        help="how many availability zones, 2 or 3 (default: %(default)s)",
    )
    parser.add_argument(
        "--vpc-cidr",
        type=IPv4Network,
        default=Options.vpc_cidr,
        metavar="CIDR",
        help="the VPC's private range, /16 to /22 (default: %(default)s)",
    )
    given = parser.parse_args(arguments)
    try:
        options = Options(zones=given.zones, vpc_cidr=given.vpc_cidr)
    except ValueError as error:
        parser.error(str(error))
    try:
        print(write(template(options), given.output))
    except OSError as error:
        print(f"{parser.prog}: cannot write to {given.output}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


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
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
