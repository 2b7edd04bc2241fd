"""The scalable web application, by zone and subnet tier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docs.diagrams.picture import Edge, Group, Node, Picture

if TYPE_CHECKING:
    from docs.diagrams.picture import GroupKind
    from docs.diagrams.resources import Resources

NAME, TITLE = "webtier", "Scalable web application"
# A stage that people use has a certificate, and somebody to tell.
VALUES = {"CertificateArn": "arn:aws:acm:::certificate", "AlertEmail": "people@example.com"}


def picture(resources: Resources) -> Picture:
    """The picture of `webtier.json`."""
    groups = [Group("account", "AWS account", "account"), Group("vpc", "VPC", "vpc", "account")]
    nodes = [Node("users", "users", ("Users",))]
    edges: list[Edge] = []

    zones = _zones(resources)
    tiers = _tiers(resources)
    groups += [
        Group(f"zone-{number}", f"Availability zone {number + 1}", "zone", "vpc")
        for number in sorted(set(zones.values()))
    ]
    groups += [
        Group(subnet, label, kind, f"zone-{zones[subnet]}")
        for subnet, (label, kind) in tiers.items()
    ]

    _front(resources, nodes, edges)
    _instances(resources, nodes, edges)
    _outbound(resources, nodes, edges)
    _database(resources, nodes, edges)
    _watch(resources, nodes, edges)
    return Picture(NAME, TITLE, "TB", tuple(groups), tuple(nodes), tuple(edges), resources.folded())


def _zones(resources: Resources) -> dict[str, int]:
    """The number of each subnet's zone: its place in the region's list."""
    body = resources.document.body["Resources"]
    return {
        subnet: int(body[subnet]["Properties"]["AvailabilityZone"]["Fn::Select"][0])
        for subnet in resources.of("EC2::Subnet")
    }


def _tiers(resources: Resources) -> dict[str, tuple[str, GroupKind]]:
    """Each subnet's tier, by what is put in it."""
    members_of: tuple[tuple[str, str, tuple[str, GroupKind]], ...] = (
        ("ElasticLoadBalancingV2::LoadBalancer", "Subnets", ("Public subnet", "public")),
        ("AutoScaling::AutoScalingGroup", "VPCZoneIdentifier", ("Private subnet", "private")),
        ("RDS::DBSubnetGroup", "SubnetIds", ("Data subnet, no way out", "data")),
    )
    tiers = {}
    for kind, members, tier in members_of:
        for key in resources.of(kind):
            for subnet in resources.referred(key, members):
                tiers[subnet] = tier
    return tiers


def _front(resources: Resources, nodes: list[Node], edges: list[Edge]) -> None:
    (balancer,) = resources.of("ElasticLoadBalancingV2::LoadBalancer")
    (gateway,) = resources.of("EC2::InternetGateway")
    nodes += [
        Node(gateway, "internet-gateway", ("Internet gateway",), "vpc"),
        Node(balancer, "load-balancer", ("Application", "Load Balancer"), "vpc"),
    ]
    listeners = resources.of("ElasticLoadBalancingV2::Listener").values()
    served = [
        f"{listener['Protocol']} {listener['Port']}"
        for listener in listeners
        if listener["DefaultActions"][0]["Type"] == "forward"
    ]
    edges += [
        Edge("users", gateway, ", ".join(served)),
        Edge(gateway, balancer),
    ]
    for acl in resources.of("WAFv2::WebACL"):
        nodes.append(Node(acl, "waf", ("Web application", "firewall"), "account"))
        edges.append(Edge(acl, balancer, "filters", ranked=False))
    for bucket in resources.of("S3::Bucket"):
        if bucket in resources.referred(balancer, "LoadBalancerAttributes"):
            nodes.append(Node(bucket, "bucket", ("Access logs",), "account", served=False))
            edges.append(Edge(balancer, bucket, "logs requests"))


def _instances(resources: Resources, nodes: list[Node], edges: list[Edge]) -> None:
    (balancer,) = resources.of("ElasticLoadBalancingV2::LoadBalancer")
    (target,) = resources.of("ElasticLoadBalancingV2::TargetGroup").values()
    policies = resources.of("AutoScaling::ScalingPolicy").values()
    metrics = sorted(_metric(policy) for policy in policies)
    for key, group in resources.of("AutoScaling::AutoScalingGroup").items():
        scaling = f"{group['MinSize']} to {group['MaxSize']} instances,"
        label = ("Auto Scaling group", scaling, f"by {' and '.join(metrics)}")
        nodes.append(Node(key, "scaling", label, "vpc", served=False))
        for subnet in resources.referred(key, "VPCZoneIdentifier"):
            instance = f"instance-{subnet}"
            nodes.append(Node(instance, "instance", ("EC2 instances",), subnet))
            edges += [
                Edge(balancer, instance, f"{target['Protocol']} {target['Port']}"),
                Edge(key, instance, "adds, removes"),
            ]
        if metrics:
            edges.append(Edge("watch", key, "metrics"))


def _metric(policy: dict[str, Any]) -> str:
    tracking = policy.get("TargetTrackingConfiguration", {})
    name = str(tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", ""))
    return {
        "ASGAverageCPUUtilization": "CPU",
        "ALBRequestCountPerTarget": "requests per instance",
    }.get(name, name)


def _outbound(resources: Resources, nodes: list[Node], edges: list[Edge]) -> None:
    instances = {node.group: node.key for node in nodes if node.icon == "instance"}
    zone_of = _zones(resources)
    (balancer,) = resources.of("ElasticLoadBalancingV2::LoadBalancer")
    for key in resources.of("EC2::NatGateway"):
        (subnet,) = resources.referred(key, "SubnetId")
        nodes.append(Node(key, "nat-gateway", ("NAT gateway",), subnet, served=False))
        # A public subnet belongs between the load balancer and its zone's private one.
        edges.append(Edge(balancer, key, visible=False))
        edges += [
            Edge(instance, key, "outbound", backwards=True)
            for other, instance in instances.items()
            if other is not None and zone_of[other] == zone_of[subnet]
        ]
    services = sorted(
        str(endpoint["ServiceName"]).rsplit(".", 1)[-1]
        for endpoint in resources.of("EC2::VPCEndpoint").values()
    )
    if services:
        names = [name.upper() if len(name) <= 3 else name for name in services]
        label = ", ".join(names) if len(names) <= 2 else f"{len(names)} services"
        nodes.append(Node("endpoints", "endpoint", ("VPC endpoints", label), "vpc", served=False))
        edges += [
            Edge(group, "endpoints", visible=False)
            for group in resources.of("AutoScaling::AutoScalingGroup")
        ]


def _database(resources: Resources, nodes: list[Node], edges: list[Edge]) -> None:
    instances = [node.key for node in nodes if node.icon == "instance"]
    (group,) = resources.of("RDS::DBSubnetGroup")
    subnets = resources.referred(group, "SubnetIds")
    for key, database in resources.of("RDS::DBInstance").items():
        if "SourceDBInstanceIdentifier" in database:
            nodes.append(Node(key, "database", ("Read replica",), subnets[-1]))
            edges.append(Edge(resources.referred(key, "SourceDBInstanceIdentifier")[0], key))
            continue
        nodes.append(Node(key, "database", ("PostgreSQL", "primary"), subnets[0]))
        edges += [Edge(instance, key, "TLS") for instance in instances]
        if database.get("MultiAZ") in (True, "true"):
            standby = f"{key}-standby"
            nodes.append(Node(standby, "database", ("PostgreSQL", "standby"), subnets[1]))
            edges += [
                Edge(key, standby, "synchronous", ranked=False),
                *(Edge(instance, standby, visible=False) for instance in instances),
            ]
    for key in resources.of("RDS::DBCluster"):
        for number, subnet in enumerate(subnets):
            role = "reader" if number else "writer"
            nodes.append(Node(f"{key}-{number}", "database", ("PostgreSQL", role), subnet))
        edges += [Edge(instance, f"{key}-0", "TLS") for instance in instances]


def _watch(resources: Resources, nodes: list[Node], edges: list[Edge]) -> None:
    alarms = resources.of("CloudWatch::Alarm")
    nodes.append(
        Node(
            "watch", "monitoring", ("CloudWatch", f"{len(alarms)} alarms"), "account", served=False
        )
    )
    for topic in resources.of("SNS::Topic"):
        telling = [key for key in alarms if topic in resources.referred(key, "AlarmActions")]
        nodes.append(Node(topic, "topic", ("Alerts",), "account", served=False))
        if telling:
            edges.append(Edge("watch", topic, f"{len(telling)} alarms"))
        for key, events in resources.of("RDS::EventSubscription").items():
            if topic in resources.referred(key, "SnsTopicArn") and events.get("Enabled", True):
                # A cluster is drawn as its instances, the writer first.
                source = resources.referred(key, "SourceIds")[0]
                (told, *_) = (node.key for node in nodes if node.key in (source, f"{source}-0"))
                edges.append(Edge(told, topic, "events", ranked=False))
    for key, subscription in resources.of("SNS::Subscription").items():
        (topic,) = resources.referred(key, "TopicArn")
        nodes.append(Node(key, "mail", (str(subscription["Protocol"]).capitalize(),), served=False))
        edges.append(Edge(topic, key))
