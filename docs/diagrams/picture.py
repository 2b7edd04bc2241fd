"""What a picture shows, before anything has a place: groups, nodes and edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

GroupKind = Literal["account", "vpc", "zone", "public", "private", "data", "part"]
Direction = Literal["LR", "TB"]


@dataclass(frozen=True)
class Group:
    """A box around nodes and other groups; `parent` is the key of the group it is in."""

    key: str
    label: str
    kind: GroupKind
    parent: str | None = None


@dataclass(frozen=True)
class Node:
    """One icon. `icon` is a key of `icons.ICONS`, `label` has a line each.

    `served` says that it takes part in answering a request: the overview shows no others.
    """

    key: str
    icon: str
    label: tuple[str, ...]
    group: str | None = None
    served: bool = True


@dataclass(frozen=True)
class Edge:
    """An arrow from one node to another.

    `step` is its number in the flow that the part's page tells. `ranked` says whether the target
    is to be placed after the source; `backwards` that it is to be placed before it. One that is
    not `visible` only puts its target in place.
    """

    source: str
    target: str
    label: str = ""
    step: int | None = None
    ranked: bool = True
    backwards: bool = False
    visible: bool = True


@dataclass(frozen=True)
class Picture:
    """A picture by its name, which is its file's too.

    `folded` counts, by CloudFormation type, the resources that are not drawn.
    """

    name: str
    title: str
    direction: Direction
    groups: tuple[Group, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    folded: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError: an edge or a group leads to something that is not in the picture."""
        nodes = {node.key for node in self.nodes}
        groups = {group.key for group in self.groups}
        for edge in self.edges:
            for end in (edge.source, edge.target):
                if end not in nodes:
                    raise ValueError(f"{self.name}: the edge to {edge.target} names {end}")
        for key in [node.group for node in self.nodes] + [group.parent for group in self.groups]:
            if key is not None and key not in groups:
                raise ValueError(f"{self.name}: there is no group {key}")
