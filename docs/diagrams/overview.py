"""All parts together: each part's picture, with icons of a kind drawn as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.diagrams.picture import Edge, Group, Node, Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME, TITLE = "overview", "The four parts together"

# What carries a request, and the words for it when there are several.
_WORDS = {
    "api": "API Gateway",
    "function": "Lambda",
    "bucket": "S3",
    "table": "DynamoDB",
    "load-balancer": "Load balancer",
    "instance": "Auto Scaling group",
    "database": "RDS PostgreSQL",
}


def picture(parts: Sequence[Picture], monitoring: Picture) -> Picture:
    """The overview of the parts' pictures and the monitoring account's."""
    groups = [
        Group("workload", "Workload account", "account"),
        Group("monitoring", "Monitoring account", "account"),
        *(Group(part.name, part.title, "part", "workload") for part in parts),
    ]
    nodes = [Node("users", "users", ("Users",))]
    edges: list[Edge] = []
    for part in parts:
        merged = {node.key: node.icon for node in part.nodes if node.served and node.icon in _WORDS}
        nodes += [
            Node(f"{part.name}-{icon}", icon, (_WORDS[icon],), part.name)
            for icon in dict.fromkeys(merged.values())
        ]
        edges += _edges(part, merged)
    nodes += [node for node in monitoring.nodes if node.key in ("alarms", "email")]
    nodes.append(Node("rules", "rule", ("EventBridge",), "monitoring"))
    nodes.append(Node("actions", "function", ("Automated actions",), "monitoring"))
    edges += [
        *(
            Edge(f"{part.name}-function", "alarms", "metrics")
            for part in parts
            if _has_function(part)
        ),
        Edge("alarms", "rules"),
        Edge("rules", "email", "notify"),
        Edge("rules", "actions", "act"),
    ]
    return Picture(NAME, TITLE, "LR", tuple(groups), tuple(nodes), tuple(edges))


def _edges(part: Picture, merged: dict[str, str]) -> list[Edge]:
    ends: dict[tuple[str, str], None] = {}
    for edge in part.edges:
        source, target = merged.get(edge.source), merged.get(edge.target)
        if source and target and source != target and (target, source) not in ends:
            ends[source, target] = None
    first = next(icon for icon in merged.values() if icon in ("api", "load-balancer"))
    return [Edge("users", f"{part.name}-{first}")] + [
        Edge(f"{part.name}-{source}", f"{part.name}-{target}") for source, target in ends
    ]


def _has_function(part: Picture) -> bool:
    return any(node.icon == "function" for node in part.nodes)
