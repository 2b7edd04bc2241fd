"""A web tier, read from a CloudFormation template: no resource is known by name, only by its type.

Defaults are those of the resource types in the AWS CloudFormation Template Reference.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from monitoring.cloudformation import Document
from webtier.drill import publishing
from webtier.drill.tier import (
    Alarm,
    Balancer,
    Database,
    Egress,
    Group,
    LaunchHook,
    Notice,
    RollingUpdate,
    TemplateError,
    Tier,
    Tracking,
    vcpus,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ACCOUNT = "111111111111"
REGION = "us-east-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::StackName": "webtier",
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/webtier/"
    "0a1b2c3d-0000-4000-8000-000000000000",
}
STAND_INS = {
    "AlertEmail": "operations@example.com",
    "CertificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/0a1b2c3d",
}
"""Values for parameters that only the one who deploys can give, where their default is nothing."""

DEFAULT_COOLDOWN = 300
DEFAULT_HEARTBEAT = 3600
RDS_EVENTS = "events.rds.amazonaws.com"
"""The service that publishes RDS's events."""

CLUSTER_INSTANCES = 3
"""A Multi-AZ cluster has a writer and two readers, `<cluster>-instance-1` to `-3`."""

# How a script finds out that the load balancer has its instance.
_ASKS_FOR_HEALTH = ("target-in-service", "describe-target-health")
_METRICS = {"ALBRequestCountPerTarget": "requests", "ASGAverageCPUUtilization": "cpu"}
_DURATION = re.compile(r"PT?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
_REFERENCE = re.compile(r"\$\{([^.}]+)[^}]*\}")


def read(body: Mapping[str, Any], parameters: Mapping[str, str] | None = None) -> Tier:
    """The web tier of a template, whose parameters take these values or else their defaults.

    Raises TemplateError.
    """
    return _Reader(body, parameters or {}).tier()


def stand_ins(body: Mapping[str, Any]) -> dict[str, str]:
    """Values for the parameters that have none: known stand-ins, or for a text its own name."""
    found = {}
    for name, parameter in body.get("Parameters", {}).items():
        if name in STAND_INS and not parameter.get("Default"):
            found[name] = STAND_INS[name]
        elif "Default" not in parameter and parameter.get("Type") == "String":
            found[name] = _stand_in(name)
    return found


def document(body: Mapping[str, Any], parameters: Mapping[str, str]) -> Document:
    """A template with these values for its parameters, the others with their defaults.

    Raises TemplateError: it is no template, or a parameter has no value or is none of it.
    """
    if not isinstance(body, dict) or not isinstance(body.get("Resources"), dict):
        raise TemplateError("this is no CloudFormation template in JSON: it has no Resources")
    declared = body.get("Parameters", {})
    for name in parameters:
        if name not in declared:
            raise TemplateError(f"parameter {name}: the template has none of that name")
    for name, parameter in declared.items():
        if name in parameters:
            _check_value(name, parameter, parameters[name])
        elif "Default" not in parameter:
            raise TemplateError(f"parameter {name} has no default: give it a value")
    return Document(body, {**PSEUDO, **parameters})


def _check_value(name: str, declared: Mapping[str, Any], value: str) -> None:
    """Hold a value against what the template says of it, as CloudFormation does."""
    if value == _stand_in(name):
        return
    if "AllowedValues" in declared and value not in map(str, declared["AllowedValues"]):
        allowed = ", ".join(map(str, declared["AllowedValues"]))
        raise TemplateError(f"parameter {name}: {value!r} is not one of {allowed}")
    if "AllowedPattern" in declared and not re.fullmatch(declared["AllowedPattern"], value):
        wanted = declared.get("ConstraintDescription", f"like {declared['AllowedPattern']}")
        raise TemplateError(f"parameter {name}: {value!r} is not {wanted}")
    if declared.get("Type") == "Number":
        try:
            number = float(value)
        except ValueError as error:
            raise TemplateError(f"parameter {name}: {value!r} is no number") from error
        for bound, kept in (("MinValue", float.__ge__), ("MaxValue", float.__le__)):
            if bound in declared and not kept(number, float(declared[bound])):
                raise TemplateError(f"parameter {name}: {value}: its {bound} is {declared[bound]}")


def _stand_in(name: str) -> str:
    return f"<{name}>"


def resources(template: Document) -> list[tuple[str, str, Mapping[str, Any]]]:
    """(logical id, type, resource) of all whose condition holds. Raises TemplateError."""
    try:
        return list(template.resources())
    except KeyError as error:
        raise TemplateError(f"a condition refers to {error}, which is not there") from error


def properties(template: Document, logical_id: str) -> dict[str, Any]:
    """The properties of a resource, every function evaluated. Raises TemplateError."""
    try:
        return template.properties(logical_id)
    except (KeyError, TypeError, IndexError) as error:
        raise TemplateError(f"{logical_id}: {error} cannot be resolved") from error


def named(reference: Any) -> str:
    """The logical id in what a Ref or an attribute was resolved to; empty where there is none."""
    found = _REFERENCE.fullmatch(str(reference))
    return found[1] if found else ""


class _Reader:
    def __init__(self, body: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        self.document = document(body, parameters)
        self.kinds: dict[str, list[str]] = defaultdict(list)
        self.attributes: dict[str, Mapping[str, Any]] = {}
        for logical_id, kind, resource in resources(self.document):
            self.kinds[kind.removeprefix("AWS::")].append(logical_id)
            self.attributes[logical_id] = resource
        self.unread: list[str] = []

    def tier(self) -> Tier:
        group = self._group()
        database = self._database()
        return Tier(
            group=group,
            balancer=self._balancer(group.resource),
            egress=tuple(self._egress(group.resource)),
            database=database,
            alarms=tuple(self._alarms(group)),
            notices=tuple(self._notices(database)),
            unread=tuple(self.unread),
        )

    def _properties(self, logical_id: str) -> dict[str, Any]:
        return properties(self.document, logical_id)

    def _only(self, kind: str) -> str:
        found = self.kinds[kind]
        if len(found) != 1:
            listed = f"{len(found)}: {', '.join(found)}" if found else "none"
            raise TemplateError(f"a drill needs one AWS::{kind}, the template has {listed}")
        return found[0]

    def _zone(self, subnet: Any) -> str:
        name = named(subnet)
        if name not in self.kinds["EC2::Subnet"]:
            raise TemplateError(f"subnet {subnet} is not in the template")
        zone = self._properties(name).get("AvailabilityZone")
        if not zone:
            raise TemplateError(f"{name}: give its AvailabilityZone")
        return str(zone)

    def _zones(self, subnets: Any) -> tuple[str, ...]:
        return tuple(sorted({self._zone(subnet) for subnet in subnets}))

    def _group(self) -> Group:
        resource = self._only("AutoScaling::AutoScalingGroup")
        properties = self._properties(resource)
        sizes, low, high = self._sizes(resource, properties)
        if not properties.get("VPCZoneIdentifier"):
            raise TemplateError(f"{resource}: give its VPCZoneIdentifier")
        types, template, data, spread = self._instances(resource, properties)
        policies = tuple(self._policies(resource))
        warm_up = properties.get("DefaultInstanceWarmup", properties.get("Cooldown"))
        return Group(
            resource=resource,
            zones=self._zones(properties["VPCZoneIdentifier"]),
            min_size=low,
            max_size=high,
            desired=min(max(low, int(properties.get("DesiredCapacity", low))), high),
            elb_checks="ELB" in str(properties.get("HealthCheckType", "EC2")),
            grace=float(properties.get("HealthCheckGracePeriod", 0)),
            warm_up=float(DEFAULT_COOLDOWN if warm_up is None else warm_up),
            instance_types=types,
            vcpus=min(map(vcpus, types)),
            detailed_monitoring=_true(data.get("Monitoring", {}).get("Enabled")),
            launch_template=template,
            policies=policies,
            update=self._update(resource),
            on_demand_base=int(spread.get("OnDemandBaseCapacity", 0)),
            on_demand_percent=int(spread.get("OnDemandPercentageAboveBaseCapacity", 100)),
            sizes=sizes,
            metrics_collected=bool(properties.get("MetricsCollection")),
            name=str(properties.get("AutoScalingGroupName", "")),
            hook=self._hook(resource, properties),
            healthy_percent=_healthy_percent(properties),
            signals_in_service=any(
                way in str(data.get("UserData", "")) for way in _ASKS_FOR_HEALTH
            ),
        )

    def _hook(self, group: str, properties: Mapping[str, Any]) -> LaunchHook | None:
        """The launch hook that takes longest: an instance waits for all of them."""
        hooks = [(group, hook) for hook in properties.get("LifecycleHookSpecificationList", ())]
        for name in self.kinds["AutoScaling::LifecycleHook"]:
            beside = self._properties(name)
            if named(beside["AutoScalingGroupName"]) == group:
                hooks.append((name, beside))
        found = [
            LaunchHook(
                resource,
                float(hook.get("HeartbeatTimeout", DEFAULT_HEARTBEAT)),
                hook.get("DefaultResult") == "CONTINUE",
            )
            for resource, hook in hooks
            if hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
        ]
        return max(found, key=lambda one: one.timeout, default=None)

    def _sizes(self, group: str, properties: Mapping[str, Any]) -> tuple[dict[str, str], int, int]:
        """The smallest sizes the group has at any time of its schedule, and what gives them."""
        found = {size: (_size(group, properties, size), group) for size in ("MinSize", "MaxSize")}
        if found["MinSize"] > found["MaxSize"]:
            raise TemplateError(
                f"{group}: its MinSize {found['MinSize'][0]} is above its MaxSize "
                f"{found['MaxSize'][0]}"
            )
        for name in self.kinds["AutoScaling::ScheduledAction"]:
            action = self._properties(name)
            if named(action["AutoScalingGroupName"]) == group:
                for size in found:
                    if size in action:
                        found[size] = min(found[size], (_size(name, action, size), name))
        sources = {size: source for size, (_, source) in found.items()}
        return sources, found["MinSize"][0], found["MaxSize"][0]

    def _instances(
        self, group: str, properties: Mapping[str, Any]
    ) -> tuple[tuple[str, ...], str, Mapping[str, Any], Mapping[str, Any]]:
        mixed = properties.get("MixedInstancesPolicy", {})
        chosen = mixed.get("LaunchTemplate", {})
        reference = chosen.get("LaunchTemplateSpecification") or properties.get("LaunchTemplate")
        name = named((reference or {}).get("LaunchTemplateId"))
        if name not in self.kinds["EC2::LaunchTemplate"]:
            raise TemplateError(f"{group}: its launch template is not in the template")
        data = self._properties(name)["LaunchTemplateData"]
        types = [
            one["InstanceType"] for one in chosen.get("Overrides", ()) if "InstanceType" in one
        ]
        types = types or [data.get("InstanceType", "")]
        return tuple(map(str, types)), name, data, mixed.get("InstancesDistribution", {})

    def _policies(self, group: str) -> Iterator[Tracking]:
        for name in self.kinds["AutoScaling::ScalingPolicy"]:
            policy = self._properties(name)
            if named(policy["AutoScalingGroupName"]) != group:
                continue
            tracking = policy.get("TargetTrackingConfiguration", {})
            kind = tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
            if kind in _METRICS:
                keep = _true(tracking.get("DisableScaleIn"))
                target = float(tracking["TargetValue"])
                yield Tracking(name, _METRICS[kind], target, scale_in=not keep)
            else:
                self.unread.append(f"{name}: only target tracking on CPU or requests is modelled")

    def _update(self, group: str) -> RollingUpdate | None:
        policy = self.document.value(self.attributes[group].get("UpdatePolicy", {}))
        rolling = policy.get("AutoScalingRollingUpdate")
        if rolling is None:
            if "AutoScalingReplacingUpdate" in policy:
                self.unread.append(f"{group}: AutoScalingReplacingUpdate is not modelled")
            return None
        signals = _true(rolling.get("WaitOnResourceSignals"))
        # PT5M is what CloudFormation waits for signals where PauseTime does not say.
        pause = rolling.get("PauseTime", "PT5M" if signals else "PT0S")
        return RollingUpdate(
            min_in_service=int(rolling.get("MinInstancesInService", 0)),
            batch=int(rolling.get("MaxBatchSize", 1)),
            pause=_seconds(group, pause),
            signals=signals,
            success_percent=int(rolling.get("MinSuccessfulInstancesPercent", 100)),
            suspended=frozenset(rolling.get("SuspendProcesses", ())),
        )

    def _balancer(self, group: str) -> Balancer:
        resource = self._only("ElasticLoadBalancingV2::LoadBalancer")
        properties = self._properties(resource)
        targets = self._properties(group).get("TargetGroupARNs", ())
        if len(targets) != 1:
            raise TemplateError(f"{group}: a drill needs one target group in TargetGroupARNs")
        target_group = named(targets[0])
        target = self._properties(target_group)
        attributes = {
            one["Key"]: one["Value"]
            for one in (
                *properties.get("LoadBalancerAttributes", ()),
                *target.get("TargetGroupAttributes", ()),
            )
        }
        subnets = properties.get("Subnets") or [
            one["SubnetId"] for one in properties.get("SubnetMappings", ())
        ]
        return Balancer(
            resource=resource,
            target_group=target_group,
            zones=self._zones(subnets),
            path=str(target.get("HealthCheckPath", "/")),
            interval=int(target.get("HealthCheckIntervalSeconds", 30)),
            timeout=int(target.get("HealthCheckTimeoutSeconds", 5)),
            healthy=int(target.get("HealthyThresholdCount", 5)),
            unhealthy=int(target.get("UnhealthyThresholdCount", 2)),
            deregistration=float(attributes.get("deregistration_delay.timeout_seconds", 300)),
            slow_start=float(attributes.get("slow_start.duration_seconds", 0)),
            cross_zone=attributes.get("load_balancing.cross_zone.enabled") != "false",
        )

    def _egress(self, group: str) -> Iterator[Egress]:
        tables = {}
        for name in self.kinds["EC2::SubnetRouteTableAssociation"]:
            association = self._properties(name)
            tables[named(association["SubnetId"])] = named(association["RouteTableId"])
        routes = {}
        for name in self.kinds["EC2::Route"]:
            route = self._properties(name)
            if route.get("DestinationCidrBlock") == "0.0.0.0/0":
                routes[named(route["RouteTableId"])] = (name, route)
        endpoints = [
            self._properties(name)
            for name in self.kinds["EC2::VPCEndpoint"]
            if self._properties(name).get("VpcEndpointType") == "Interface"
        ]
        for subnet in map(named, self._properties(group)["VPCZoneIdentifier"]):
            zone = self._zone(f"${{{subnet}}}")
            name, route = routes.get(tables.get(subnet, ""), (subnet, {}))
            if "NatGatewayId" in route:
                gateway = named(route["NatGatewayId"])
                at = self._properties(gateway).get("SubnetId")
                # A regional NAT gateway has no subnet: it is in each zone that needs it.
                yield Egress(zone, name, gateway, frozenset({self._zone(at) if at else zone}))
            elif route:
                yield Egress(zone, name, named(route.get("GatewayId", "")), frozenset({zone}))
            else:
                reached = [set(self._zones(one.get("SubnetIds", ()))) for one in endpoints]
                common = (
                    frozenset.intersection(*map(frozenset, reached)) if reached else frozenset()
                )
                yield Egress(zone, name, "the interface endpoints", common)

    def _database(self) -> Database | None:
        clusters = self.kinds["RDS::DBCluster"]
        if clusters:
            resource = self._only("RDS::DBCluster")
            properties = self._properties(resource)
            name = self._identifier(resource, properties)
            members = (f"{name}-instance-{number}" for number in range(1, CLUSTER_INSTANCES + 1))
            return Database(
                resource=resource,
                form="cluster",
                zones=self._subnet_group(properties.get("DBSubnetGroupName")),
                dimensions=(
                    ("DBClusterIdentifier", name),
                    *(("DBInstanceIdentifier", member) for member in members),
                ),
                allocated=float(properties.get("AllocatedStorage", 0)),
                maximum=None,
            )
        primaries = [
            name
            for name in self.kinds["RDS::DBInstance"]
            if "SourceDBInstanceIdentifier" not in self._properties(name)
        ]
        if not primaries:
            return None
        if len(primaries) > 1:
            raise TemplateError(f"a drill takes one database, these are {', '.join(primaries)}")
        (resource,) = primaries
        properties = self._properties(resource)
        allocated = float(properties.get("AllocatedStorage", 0))
        maximum = float(properties.get("MaxAllocatedStorage", 0))
        return Database(
            resource=resource,
            form="standby" if _true(properties.get("MultiAZ")) else "single",
            zones=self._subnet_group(properties.get("DBSubnetGroupName")),
            dimensions=(self._dimension(resource),),
            allocated=allocated,
            maximum=maximum if maximum > allocated else None,
            replicas=tuple(
                self._dimension(name) for name in self.kinds["RDS::DBInstance"] if name != resource
            ),
        )

    def _subnet_group(self, reference: Any) -> tuple[str, ...]:
        name = named(reference)
        if name not in self.kinds["RDS::DBSubnetGroup"]:
            raise TemplateError(f"database subnet group {reference} is not in the template")
        return self._zones(self._properties(name)["SubnetIds"])

    def _dimension(self, instance: str) -> tuple[str, str]:
        return "DBInstanceIdentifier", self._identifier(instance, self._properties(instance))

    def _identifier(self, resource: str, properties: Mapping[str, Any]) -> str:
        kind = "Cluster" if self._kind(resource) == "AWS::RDS::DBCluster" else "Instance"
        return str(properties.get(f"DB{kind}Identifier", f"${{{resource}}}"))

    def _kind(self, resource: str) -> str:
        return str(self.attributes[resource]["Type"])

    def _alarms(self, group: Group) -> Iterator[Alarm]:
        for kind in ("CloudWatch::Alarm", "CloudWatch::CompositeAlarm"):
            for name in self.kinds[kind]:
                properties = self._properties(name)
                yield Alarm(
                    resource=name,
                    name=str(properties.get("AlarmName", f"${{{name}}}")),
                    properties=self._watched(properties, group),
                    deaf=self._deaf(name, properties),
                    composite=kind.endswith("CompositeAlarm"),
                )

    def _watched(self, properties: dict[str, Any], group: Group) -> dict[str, Any]:
        """The properties, with the group named as a Ref to it is, whatever its own name."""
        for metric in (properties, *_metrics(properties)):
            for dimension in metric.get("Dimensions", ()):
                if group.name and dimension["Value"] == group.name:
                    dimension["Value"] = group.dimension
        return properties

    def _deaf(self, name: str, properties: Mapping[str, Any]) -> str:
        if str(properties.get("ActionsEnabled", True)).lower() == "false":
            return f"{name}.ActionsEnabled is false: set it to true"
        actions = properties.get("AlarmActions", ())
        if not actions:
            return f"{name}.AlarmActions is empty: name a topic there"
        reasons = [self._unheard(action) for action in actions]
        return "" if "" in reasons else reasons[0]

    def _unheard(self, topic: Any) -> str:
        """Why nobody hears of what is sent to a topic; empty where somebody does.

        A topic that is not in the template has its subscribers elsewhere.
        """
        name = named(topic)
        if name not in self.kinds["SNS::Topic"]:
            return "" if ":sns:" in str(topic) or "${" not in str(topic) else f"{name} is no topic"
        if any(one.get("Endpoint") for one in self._properties(name).get("Subscription", ())):
            return ""
        for subscription in self.kinds["SNS::Subscription"]:
            properties = self._properties(subscription)
            if named(properties.get("TopicArn")) == name and properties.get("Endpoint"):
                return ""
        waiting = [
            f"{one} has the condition {resource.get('Condition')}, which does not hold"
            for one, resource in self.document.body["Resources"].items()
            if resource["Type"] == "AWS::SNS::Subscription" and one not in self.attributes
        ]
        detail = f" ({waiting[0]})" if waiting else ""
        return f"{name} has no subscription{detail}: subscribe somebody"

    def _notices(self, database: Database | None) -> Iterator[Notice]:
        """The subscriptions to events of the database: no other source is drilled."""
        if database is None:
            return
        names = {database.resource, *(value for _, value in database.dimensions)}
        for name in self.kinds["RDS::EventSubscription"]:
            properties = self._properties(name)
            sources = properties.get("SourceIds") or [database.resource]
            if not names & {*map(str, sources), *map(named, sources)}:
                continue
            yield Notice(
                resource=name,
                kind=str(properties.get("SourceType", "")),
                categories=frozenset(properties.get("EventCategories", ())),
                deaf=self._deaf_notice(name, properties),
            )

    def _deaf_notice(self, name: str, properties: Mapping[str, Any]) -> str:
        if str(properties.get("Enabled", True)).lower() == "false":
            return f"{name}.Enabled is false: set it to true"
        topic = properties["SnsTopicArn"]
        return self._refused(topic, RDS_EVENTS) or self._unheard(topic)

    def _refused(self, topic: Any, service: str) -> str:
        """Why a service cannot publish to a topic; empty where it can.

        A topic without a policy of its own lets in the services that act for its account.
        """
        name = named(topic)
        if name not in self.kinds["SNS::Topic"]:
            return ""
        policies = {
            one: self._properties(one)
            for one in self.kinds["SNS::TopicPolicy"]
            if name in map(named, self._properties(one).get("Topics", ()))
        }
        documents = [policy["PolicyDocument"] for policy in policies.values()]
        if documents and not publishing.allows(documents, service, publishing.PUBLISH):
            return f"{', '.join(policies)} does not let {service} in: allow it sns:Publish"
        key = str(self._properties(name).get("KmsMasterKeyId", ""))
        if key.endswith("alias/aws/sns"):
            return f"{name}.KmsMasterKeyId is AWS's own key, which lets no service in: make one"
        if named(key) in self.kinds["KMS::Key"]:
            document = self._properties(named(key))["KeyPolicy"]
            if not publishing.allows([document], service, publishing.USE_KEY):
                actions = " and ".join(publishing.USE_KEY)
                return f"{named(key)}.KeyPolicy does not let {service} in: allow it {actions}"
        return ""


def _metrics(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    queries = properties.get("Metrics", ())
    return [query["MetricStat"]["Metric"] for query in queries if "MetricStat" in query]


def _size(resource: str, properties: Mapping[str, Any], name: str) -> int:
    value = str(properties[name])
    if not value.isdecimal():
        raise TemplateError(f"{resource}: its {name} {value} is no whole number")
    return int(value)


def _healthy_percent(properties: Mapping[str, Any]) -> tuple[int, int] | None:
    policy = properties.get("InstanceMaintenancePolicy", {})
    least = int(policy.get("MinHealthyPercentage", -1))
    return None if least < 0 else (least, int(policy["MaxHealthyPercentage"]))


def _true(value: Any) -> bool:
    return str(value).lower() == "true"


def _seconds(resource: str, duration: str) -> float:
    """ISO 8601, as far as CloudFormation takes it: PT1H30M10S."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise TemplateError(f"{resource}: {duration!r} is no duration such as PT10M")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600.0 + minutes * 60 + seconds
