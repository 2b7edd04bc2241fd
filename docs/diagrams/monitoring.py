"""The monitoring account and what it watches in a workload account."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from docs.diagrams.picture import Edge, Group, Node, Picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from docs.diagrams.resources import Resources

NAME, TITLE = "monitoring", "Monitoring account"
# Somebody to tell, and the actions' role.
VALUES = {"AlertEmail": "people@example.com", "WarningEmail": "people@example.com"}
WORKLOAD_VALUES = {"ActionRoleArn": "arn:aws:iam::222222222222:role/action"}

_WATCHED = (
    ("AWS/Lambda", "function", "Lambda functions"),
    ("AWS/ApiGateway", "api", "APIs"),
    ("AWS/DynamoDB", "table", "Tables"),
    ("AWS/SQS", "queue", "Queues"),
)


def picture(monitoring: Resources, workload: Resources) -> Picture:
    """The picture of `monitoring.json` and `workload.json`."""
    groups = (
        Group("workload", "Workload account", "account"),
        Group("monitoring", "Monitoring account", "account"),
    )
    nodes: list[Node] = []
    edges: list[Edge] = []
    _observed(monitoring, workload, nodes, edges)
    _routed(monitoring, nodes, edges)
    _acted(monitoring, workload, nodes, edges)
    return Picture(
        NAME,
        TITLE,
        "LR",
        groups,
        tuple(nodes),
        tuple(edges),
        monitoring.folded() + workload.folded(),
    )


def _observed(
    monitoring: Resources, workload: Resources, nodes: list[Node], edges: list[Edge]
) -> None:
    (link,) = workload.of("Oam::Link").items()
    (sink,) = monitoring.of("Oam::Sink")
    alarms = monitoring.of("CloudWatch::Alarm")
    composites = monitoring.of("CloudWatch::CompositeAlarm")
    nodes += [
        Node(link[0], "monitoring", ("Observability link",), "workload"),
        Node(sink, "monitoring", ("Observability sink",), "monitoring"),
        Node("alarms", "monitoring", (f"{len(alarms)} alarms",), "monitoring"),
        Node("composites", "monitoring", (f"{len(composites)} composite alarms",), "monitoring"),
    ]
    edges += [
        Edge(link[0], sink, "metrics and logs", step=2),
        Edge(sink, "alarms", step=3),
        Edge("alarms", "composites", "by service\nand severity", step=4),
    ]
    filters = str(link[1]["LinkConfiguration"]["MetricConfiguration"]["Filter"])
    for namespace, icon, label in _WATCHED:
        if namespace in filters:
            nodes.append(Node(namespace, icon, (label,), "workload"))
            edges.append(Edge(namespace, link[0], step=1 if icon == "function" else None))


def _routed(monitoring: Resources, nodes: list[Node], edges: list[Edge]) -> None:
    topics = monitoring.of("SNS::Topic")
    nodes += [Node(topic, "topic", (_words(topic),), "monitoring") for topic in topics]
    for queue in monitoring.of("SQS::Queue"):
        nodes.append(Node(queue, "queue", (_words(queue),), "monitoring"))
        edges += [
            Edge(queue, kept, "given up") for kept in monitoring.referred(queue, "RedrivePolicy")
        ]
    for bus in monitoring.of("Events::EventBus"):
        nodes.append(Node(bus, "rule", ("Event bus",), "monitoring"))
    for target, sources in _rules(monitoring).items():
        count = sum(sources.values())
        rules = f"rules-{target}"
        nodes.append(
            Node(rules, "rule", (f"{count} rules" if count > 1 else "1 rule",), "monitoring")
        )
        edges += [
            Edge(source, rules, step=5 if source == "composites" else None) for source in sources
        ]
        edges.append(Edge(rules, target, step=6 if target in topics else None))
    protocols: dict[str, set[str]] = defaultdict(set)
    for key, subscription in monitoring.of("SNS::Subscription").items():
        (topic,) = monitoring.referred(key, "TopicArn")
        if subscription["Protocol"] == "sqs":
            (queue,) = monitoring.referred(key, "Endpoint")
            edges.append(Edge(topic, queue, "keeps"))
        else:
            protocols[str(subscription["Protocol"])].add(topic)
    for protocol, telling in sorted(protocols.items()):
        nodes.append(Node(protocol, "mail", (protocol.capitalize(),)))
        edges += [Edge(topic, protocol, "tells", step=7) for topic in sorted(telling)]


def _rules(monitoring: Resources) -> dict[str, Counter[str]]:
    """How many rules lead from each source to each target, by target and then by source."""
    drawn = {*monitoring.of("SNS::Topic"), *monitoring.of("SQS::Queue")}
    composites = monitoring.of("CloudWatch::CompositeAlarm")
    names = {str(alarm["AlarmName"]) for alarm in composites.values()}
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for key, rule in monitoring.of("Events::Rule").items():
        for target in _targets(monitoring.referred(key, "Targets"), drawn):
            counted[target][_source(rule, names)] += 1
    return counted


def _targets(referred: Iterable[str], drawn: set[str]) -> list[str]:
    # Every target has the queue of dead letters beside it; a rule that only names that is for it.
    found = [key for key in referred if key in drawn]
    return [key for key in found if key != "DeadLetters"] or found


def _source(rule: Mapping[str, Any], composites: set[str]) -> str:
    if "EventBusName" in rule:
        return "Bus"
    named = rule.get("EventPattern", {}).get("detail", {}).get("alarmName", [])
    return "composites" if composites & set(map(str, named)) else "alarms"


def _acted(
    monitoring: Resources, workload: Resources, nodes: list[Node], edges: list[Edge]
) -> None:
    for function in monitoring.of("Lambda::Function"):
        nodes.append(Node(function, "function", ("Automated", "actions"), "monitoring"))
        for mapping in monitoring.of("Lambda::EventSourceMapping"):
            (queue,) = monitoring.referred(mapping, "EventSourceArn")
            edges.append(Edge(queue, function, step=8))
        for table in monitoring.of("DynamoDB::Table"):
            nodes.append(Node(table, "table", ("What was done",), "monitoring"))
            edges.append(Edge(function, table, "records"))
        role = next(key for key in workload.of("IAM::Role") if "Action" in key)
        nodes.append(Node(role, "role", ("Remediation role",), "workload"))
        edges += [
            Edge(function, role, "assumes", step=9, ranked=False),
            Edge(role, "AWS/Lambda", "caps", ranked=False),
            Edge(role, "AWS/SQS", "redrives", ranked=False),
        ]
    rules = workload.of("Events::Rule")
    for bus in monitoring.of("Events::EventBus"):
        nodes.append(Node("forwarding", "rule", (f"{len(rules)} rules",), "workload"))
        edges.append(Edge("forwarding", bus, "what metrics do not tell"))


def _words(logical_id: str) -> str:
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in logical_id)
    return spaced.strip().capitalize()
