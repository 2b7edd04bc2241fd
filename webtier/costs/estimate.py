"""What a template's resources cost: each type is read here, is free of charge, or is named.

No resource is known by name, only by its type, and nothing is taken from the options.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from webtier.drill import reading
from webtier.drill.tier import TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from monitoring.cloudformation import Document

    from .prices import Price, Prices

HOURS = 730
"""The hours of a month, a twelfth of a year's: as AWS's own calculator counts them."""

# Amazon CloudWatch pricing: detailed monitoring of an instance is charged as its seven metrics.
DETAILED_METRICS = 7
# Amazon EC2 Auto Scaling User Guide, "Target tracking scaling policies": one alarm to grow, one to
# shrink.
TRACKING_ALARMS = 2
# Amazon CloudWatch User Guide, "High-resolution alarms": those that look more often cost more.
_STANDARD_PERIOD = 60
# Amazon RDS User Guide, "Pricing and data retention for Performance Insights".
_FREE_INSIGHTS_DAYS = 7
_INSIGHTS = "PerformanceInsightsRetentionPeriod"

FREE = frozenset(
    f"AWS::{name}"
    for name in (
        *("AutoScaling::LifecycleHook", "AutoScaling::ScheduledAction"),
        *("CloudFormation::CustomResource", "EC2::InternetGateway", "EC2::LaunchTemplate"),
        *("EC2::Route", "EC2::RouteTable", "EC2::SecurityGroup", "EC2::SecurityGroupEgress"),
        *("EC2::SecurityGroupIngress", "EC2::Subnet", "EC2::SubnetRouteTableAssociation"),
        *("EC2::VPC", "EC2::VPCGatewayAttachment", "ElasticLoadBalancingV2::Listener"),
        *("ElasticLoadBalancingV2::TargetGroup", "IAM::InstanceProfile", "IAM::Policy"),
        *("IAM::Role", "Lambda::Permission", "RDS::DBClusterParameterGroup"),
        *("RDS::DBParameterGroup", "RDS::DBSubnetGroup", "RDS::EventSubscription"),
        *("S3::BucketPolicy", "SNS::Subscription", "SNS::TopicPolicy"),
        "WAFv2::WebACLAssociation",
    )
)
"""Types that cost nothing. A type that is neither here nor read is named as not included."""


@dataclass(frozen=True)
class Fixed:
    """What is paid for being there: `count` times a price, for the whole month."""

    what: str
    count: int
    price: Price

    @property
    def exact(self) -> Decimal:
        """US dollars a month."""
        return self.count * self.price.usd * (HOURS if self.price.per == "hour" else 1)

    @property
    def usd(self) -> Decimal:
        """US dollars a month, in whole cents as a bill has them."""
        return _cents(self.exact)


@dataclass(frozen=True)
class Usage:
    """What is paid for being used: `usd` for each `per`."""

    what: str
    usd: Decimal
    per: str
    price: Price | None = None


@dataclass(frozen=True)
class Estimate:
    """The month: what is fixed, what comes on top by use, and what is not included.

    `unknown` is what is paid for being there, too, but has no price in the table: then the bill is
    more than `usd`. `missing` is all else that is not included.
    """

    region: str
    fixed: tuple[Fixed, ...]
    usage: tuple[Usage, ...]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def usd(self) -> Decimal:
        """US dollars a month before anything is used."""
        return sum((line.usd for line in self.fixed), Decimal(0))

    @property
    def prices(self) -> tuple[Price, ...]:
        """The prices it is made of, each once."""
        fixed = [line.price for line in self.fixed]
        found = [*fixed, *(one.price for one in self.usage if one.price)]
        return tuple({price.name: price for price in found}.values())


def month(
    body: Mapping[str, Any], prices: Prices, parameters: Mapping[str, str] | None = None
) -> Estimate:
    """What a template costs a month, its parameters with these values or else their defaults.

    Raises TemplateError.
    """
    document = reading.document(body, parameters or {})
    bill = _Bill(document, prices)
    for logical_id, kind, _ in reading.resources(document):
        bill.add(logical_id, kind)
    return Estimate(
        prices.region,
        tuple(Fixed(what, count, price) for (what, price), count in bill.fixed.items()),
        tuple(dict.fromkeys(bill.usage)),
        tuple(dict.fromkeys(bill.unknown)),
        tuple(dict.fromkeys(bill.missing)),
    )


class _Bill:
    """A bill that is being written: equal lines of several resources become one."""

    def __init__(self, document: Document, prices: Prices) -> None:
        self.document = document
        self.prices = prices
        self.fixed: dict[tuple[str, Price], int] = {}
        self.usage: list[Usage] = []
        self.unknown: list[str] = []
        self.missing: list[str] = []

    def add(self, logical_id: str, kind: str) -> None:
        read = READ.get(kind)
        if read:
            try:
                read(self, logical_id, reading.properties(self.document, logical_id))
            except KeyError as error:
                raise TemplateError(f"{logical_id}: give its {error.args[0]}") from error
        elif kind not in FREE and not kind.startswith("Custom::"):
            self.unknown.append(f"{logical_id}, of the type {kind}")

    def pay(self, what: str, name: str, count: int = 1) -> None:
        """Add `count` of a price."""
        price = self.prices.get(name)
        if price is None:
            self.unknown.append(f"{what}: the table has no {name}")
        elif count:
            self.fixed[what, price] = self.fixed.get((what, price), 0) + count

    def use(self, what: str, name: str) -> None:
        """Add a price that is paid by use."""
        price = self.prices.get(name)
        if price is None:
            self.missing.append(f"{what}: the table has no {name}")
        else:
            self.usage.append(Usage(what, price.usd, price.per, price))

    def month(self, name: str, count: int = 1) -> Decimal | None:
        """What `count` of a price makes a month, None where there is no such price."""
        price = self.prices.get(name)
        return Fixed("", count, price).exact if price else None


_Properties = dict[str, Any]


def _load_balancer(bill: _Bill, logical_id: str, properties: _Properties) -> None:
    kind = properties.get("Type", "application")
    if kind != "application":
        bill.unknown.append(f"{logical_id}: a load balancer of type {kind}")
        return
    bill.pay("Application Load Balancer", "load-balancer")
    if properties.get("Scheme", "internet-facing") == "internet-facing":
        # AWS News Blog, "New – AWS Public IPv4 Address Charge": load balancers' and NAT gateways'
        # addresses too. A load balancer has one in each subnet, more under load.
        subnets = properties.get("Subnets") or properties.get("SubnetMappings") or ()
        bill.pay("public addresses of the load balancer", "public-address", len(subnets))
        bill.use("data to the internet", "traffic-to-internet")
    bill.use("load balancer capacity units (LCU)", "load-balancer-capacity")
    bill.use("data between zones", "traffic-between-zones")


def _nat_gateway(bill: _Bill, *_: Any) -> None:
    bill.pay("NAT gateways", "nat-gateway")
    bill.use("data through NAT gateways", "nat-gateway-traffic")


def _address(bill: _Bill, *_: Any) -> None:
    bill.pay("elastic addresses", "public-address")


def _endpoint(bill: _Bill, _: str, properties: _Properties) -> None:
    # AWS PrivateLink Guide, "Gateway endpoints": those are free of charge.
    if properties.get("VpcEndpointType", "Gateway") == "Gateway":
        return
    bill.pay("interface endpoints, in each zone", "endpoint", len(properties["SubnetIds"]))
    bill.use("data through interface endpoints", "endpoint-traffic")


def _group(bill: _Bill, logical_id: str, properties: _Properties) -> None:
    """The fewest instances with their volumes, and what one more costs."""
    mixed = properties.get("MixedInstancesPolicy", {})
    chosen = mixed.get("LaunchTemplate", {})
    reference = chosen.get("LaunchTemplateSpecification") or properties.get("LaunchTemplate") or {}
    name = reading.named(reference.get("LaunchTemplateId"))
    if name not in bill.document.body["Resources"]:
        raise TemplateError(f"{logical_id}: its launch template is not in the template")
    data = reading.properties(bill.document, name)["LaunchTemplateData"]
    types = [one["InstanceType"] for one in chosen.get("Overrides", ()) if "InstanceType" in one]
    instance = str((types or [data["InstanceType"]])[0])
    count = _whole(logical_id, "MinSize", properties)
    on_demand, spot = _on_demand(logical_id, count, mixed.get("InstancesDistribution", {}))
    with_each = list(_with_each_instance(name, data))
    bill.pay(f"instances {instance}", f"instance/{instance}", on_demand)
    for what, price, quantity in with_each:
        bill.pay(what, price, count * quantity)
    each = [bill.month(f"instance/{instance}")]
    each += [bill.month(price, quantity) for _, price, quantity in with_each]
    if None not in each:
        usd = sum((part for part in each if part), Decimal(0))
        bill.usage.append(Usage("an instance more, On-Demand", _cents(usd), "month"))
    if spot:
        bill.missing.append("Spot Instances: their prices change all the time")
    if instance.startswith("t"):
        bill.missing.append(f"CPU of {instance} beyond the credits that it earns")


def _on_demand(logical_id: str, count: int, spread: Mapping[str, Any]) -> tuple[int, bool]:
    """How many of `count` instances are On-Demand, and whether Spot takes part at all.

    Amazon EC2 Auto Scaling User Guide, "Overview of mixed instances groups": a share is rounded up.
    """
    percent = _whole(logical_id, _SHARE, {_SHARE: 100, **spread})
    base = min(count, _whole(logical_id, _BASE, {_BASE: 0, **spread}))
    return base + math.ceil((count - base) * percent / 100), percent < 100


_BASE = "OnDemandBaseCapacity"
_SHARE = "OnDemandPercentageAboveBaseCapacity"


def _with_each_instance(name: str, data: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """What, its price and how much of it comes with each instance of a launch template."""
    for mapping in data.get("BlockDeviceMappings", ()):
        if "Ebs" in mapping:
            disk = mapping["Ebs"]
            kind = disk.get("VolumeType", "gp2")
            yield f"GB of {kind} volumes", f"volume/{kind}", _whole(name, "VolumeSize", disk)
    if _true(data.get("Monitoring", {}).get("Enabled")):
        yield "metrics of detailed monitoring", "detailed-monitoring", DETAILED_METRICS


def _scaling_policy(bill: _Bill, _: str, properties: _Properties) -> None:
    tracking = properties.get("TargetTrackingConfiguration")
    if tracking:
        alarms = 1 if _true(tracking.get("DisableScaleIn")) else TRACKING_ALARMS
        bill.pay("alarms of the scaling policies", "alarm", alarms)


def _database(bill: _Bill, logical_id: str, properties: _Properties) -> None:
    source = ""
    if _SOURCE in properties:
        reference = properties[_SOURCE]
        source = reading.named(reference) or _identified(bill.document, reference)
    # A replica takes its storage from its source: Amazon RDS User Guide, "Creating a read replica".
    origin = reading.properties(bill.document, source) if source else {}
    merged = {**{key: origin[key] for key in _INHERITED if key in origin}, **properties}
    engine = merged.get("Engine")
    if engine != "postgres":
        bill.unknown.append(f"{logical_id}: a database of the engine {engine}")
        return
    form = "standby" if _true(properties.get("MultiAZ")) else "single"
    _database_lines(bill, logical_id, str(merged["DBInstanceClass"]), form, merged)


_SOURCE = "SourceDBInstanceIdentifier"
_INHERITED = ("AllocatedStorage", "StorageType", "Iops")


def _cluster(bill: _Bill, logical_id: str, properties: _Properties) -> None:
    engine = properties.get("Engine")
    if engine != "postgres":
        bill.unknown.append(f"{logical_id}: a cluster of the engine {engine}")
        return
    kind = str(properties["DBClusterInstanceClass"])
    _database_lines(bill, logical_id, kind, "cluster", properties)


_FORMS = {
    "single": "in one zone",
    "standby": "with a standby",
    "cluster": "as a cluster of three",
}


def _database_lines(
    bill: _Bill, logical_id: str, kind: str, form: str, properties: Mapping[str, Any]
) -> None:
    where = _FORMS[form]
    size = _whole(logical_id, "AllocatedStorage", properties)
    bill.pay(f"database {kind} {where}", f"database/{kind}/{form}")
    storage = properties.get("StorageType", "gp2")
    what = f"{storage} database storage {where}"
    bill.pay(f"GB of {what}", f"database-storage/{storage}/{form}", size)
    if "Iops" in properties:
        operations = _whole(logical_id, "Iops", properties)
        bill.pay(f"IOPS of {what}", f"database-iops/{storage}/{form}", operations)
    if _true(properties.get("ManageMasterUserPassword")):
        bill.pay("secrets", "secret")
        bill.use("requests to Secrets Manager", "secret-request")
    days = _whole(logical_id, _INSIGHTS, {_INSIGHTS: _FREE_INSIGHTS_DAYS, **properties})
    if days > _FREE_INSIGHTS_DAYS:
        bill.unknown.append(f"{logical_id}: Performance Insights for {days} days")
    if _SOURCE not in properties:
        bill.use("backups beyond the size of the database", "database-backup")
    family = kind.rpartition(".")[0]
    if family.startswith("db.t"):
        bill.use("the database's CPU beyond its credits", f"database-credit/{family}")


def _identified(document: Document, identifier: Any) -> str:
    """The instance of that identifier in the template, as a Ref to one gives it; else nothing."""
    for logical_id, kind, _ in reading.resources(document):
        if kind == "AWS::RDS::DBInstance":
            properties = reading.properties(document, logical_id)
            if properties.get("DBInstanceIdentifier") == identifier:
                return logical_id
    return ""


def _web_acl(bill: _Bill, _: str, properties: _Properties) -> None:
    bill.pay("AWS WAF web ACL", "web-acl")
    bill.pay("AWS WAF rules", "web-acl-rule", len(properties.get("Rules", ())))
    bill.use("requests that AWS WAF looks at", "web-acl-request")


def _alarm(bill: _Bill, logical_id: str, properties: _Properties) -> None:
    queries = properties.get("Metrics", ())
    measured = [one["MetricStat"] for one in queries if "MetricStat" in one]
    periods = [properties.get("Period", _STANDARD_PERIOD), *(one["Period"] for one in measured)]
    if min(map(int, periods)) < _STANDARD_PERIOD:
        bill.unknown.append(f"{logical_id}: a high-resolution alarm")
    else:
        bill.pay("metrics of alarms", "alarm", len(measured) or 1)


def _dashboard(bill: _Bill, *_: Any) -> None:
    bill.pay("dashboards", "dashboard")


def _key(bill: _Bill, _: str, properties: _Properties) -> None:
    bill.pay("KMS keys", "key")
    bill.use("requests to KMS", "key-request")
    if _true(properties.get("EnableKeyRotation")):
        bill.missing.append("what a KMS key costs more once it has been rotated")


def _logs(bill: _Bill, *_: Any) -> None:
    bill.use("logs taken in", "log")
    bill.use("logs kept", "log-storage")


def _bucket(bill: _Bill, *_: Any) -> None:
    bill.use("objects kept in S3", "bucket-storage")
    bill.use("requests that write to S3", "bucket-write")


def _topic(bill: _Bill, *_: Any) -> None:
    bill.missing.append("notifications by SNS")


def _function(bill: _Bill, _: str, properties: _Properties) -> None:
    (architecture,) = properties.get("Architectures", ["x86_64"])
    bill.use("calls of functions", "function-request")
    bill.use("run time of functions", f"function-time/{architecture}")


READ: Mapping[str, Callable[[_Bill, str, _Properties], None]] = {
    "AWS::AutoScaling::AutoScalingGroup": _group,
    "AWS::AutoScaling::ScalingPolicy": _scaling_policy,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::EC2::EIP": _address,
    "AWS::EC2::FlowLog": _logs,
    "AWS::EC2::NatGateway": _nat_gateway,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _load_balancer,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::Function": _function,
    "AWS::Logs::LogGroup": _logs,
    "AWS::RDS::DBCluster": _cluster,
    "AWS::RDS::DBInstance": _database,
    "AWS::S3::Bucket": _bucket,
    "AWS::SNS::Topic": _topic,
    "AWS::WAFv2::LoggingConfiguration": _logs,
    "AWS::WAFv2::WebACL": _web_acl,
}


def _whole(logical_id: str, name: str, properties: Mapping[str, Any]) -> int:
    """A whole number of at least 0. Raises TemplateError, KeyError."""
    value = properties[name]
    try:
        number = int(value)
    except (TypeError, ValueError) as error:
        raise TemplateError(f"{logical_id}.{name} is {value!r}: not a whole number") from error
    if number < 0:
        raise TemplateError(f"{logical_id}.{name} is {number}: less than nothing")
    return number


def _cents(usd: Decimal) -> Decimal:
    return usd.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _true(value: Any) -> bool:
    return str(value).lower() == "true"
