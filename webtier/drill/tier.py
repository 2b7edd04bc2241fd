"""What the drills need to know of a web tier: plain values, each with the resource it comes from.

Times are in seconds, storage in GiB. A resource is named by its logical id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIZES = {"micro": 2, "nano": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4}
# One vCPU in their smaller sizes, where every later family has two.
_SINGLE = {"t2": ("nano", "micro", "small"), "t1": ("micro",)}


class TemplateError(ValueError):
    """The template has not what a drill needs; the message is one line and says what."""


@dataclass(frozen=True)
class Egress:
    """A zone's way out: `through` are the zones of which one must live, `via` what leads there.

    Nothing in `through` is: there is no way out.
    """

    zone: str
    resource: str
    via: str
    through: frozenset[str]


@dataclass(frozen=True)
class Tracking:
    """A target tracking policy on `requests` (a minute and target) or on `cpu` (percent)."""

    resource: str
    metric: str
    target: float
    scale_in: bool = True


@dataclass(frozen=True)
class RollingUpdate:
    """How CloudFormation replaces the instances of a group."""

    min_in_service: int = 0
    batch: int = 1
    pause: float = 0
    signals: bool = False
    success_percent: int = 100
    suspended: frozenset[str] = frozenset()


@dataclass(frozen=True)
class LaunchHook:
    """What keeps a new instance from the load balancer until it says that it answers.

    One that does not within `timeout` seconds is abandoned, or put into service where `goes_on`.
    """

    resource: str
    timeout: float
    goes_on: bool = False


@dataclass(frozen=True)
class Group:
    """The Auto Scaling group. `sizes` says which resource gives MinSize and MaxSize.

    `healthy_percent` are the least and the most of its capacity while it replaces an instance; None
    where it has no such policy. `signals_in_service`: an instance signals once the load balancer
    finds it healthy, not as soon as it answers.
    """

    resource: str
    zones: tuple[str, ...]
    min_size: int
    max_size: int
    desired: int
    elb_checks: bool
    grace: float
    warm_up: float
    instance_types: tuple[str, ...]
    vcpus: int
    detailed_monitoring: bool
    launch_template: str
    policies: tuple[Tracking, ...]
    update: RollingUpdate | None
    on_demand_base: int = 0
    on_demand_percent: int = 100
    sizes: Mapping[str, str] | None = None
    metrics_collected: bool = True
    hook: LaunchHook | None = None
    healthy_percent: tuple[int, int] | None = None
    signals_in_service: bool = False
    name: str = ""

    @property
    def dimension(self) -> str:
        """What a Ref to the group gives, before there is one: its metrics have it too."""
        return f"${{{self.resource}}}"

    def source(self, size: str) -> str:
        """The resource that gives `MinSize` or `MaxSize`: the group or a scheduled action."""
        return (self.sizes or {}).get(size, self.resource)


@dataclass(frozen=True)
class Balancer:
    """The load balancer and its target group."""

    resource: str
    target_group: str
    zones: tuple[str, ...]
    path: str
    interval: int
    timeout: int
    healthy: int
    unhealthy: int
    deregistration: float
    slow_start: float
    cross_zone: bool


@dataclass(frozen=True)
class Database:
    """The database: `single`, `standby` (Multi-AZ instance) or `cluster` (Multi-AZ cluster).

    `dimensions` are names and values of the CloudWatch dimensions that name it, or each instance
    of a cluster; `replicas` those of its read replicas. `maximum` is where its storage stops
    growing by itself; None where it never does.
    """

    resource: str
    form: str
    zones: tuple[str, ...]
    dimensions: tuple[tuple[str, str], ...]
    allocated: float
    maximum: float | None
    replicas: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Alarm:
    """An alarm and its properties. `deaf` says why it reaches nobody; empty where it does."""

    resource: str
    name: str
    properties: Mapping[str, Any]
    deaf: str
    composite: bool = False


@dataclass(frozen=True)
class Notice:
    """RDS events of the database of some categories, sent to a topic; no category is: of all.

    `kind` is the type of their source, `db-instance` or `db-cluster`; empty for both.
    """

    resource: str
    kind: str
    categories: frozenset[str]
    deaf: str

    @property
    def heard(self) -> bool:
        """Whether it reaches somebody."""
        return not self.deaf

    def is_of(self, kind: str, categories: frozenset[str]) -> bool:
        """Whether it tells of an event of that source, in one of these categories."""
        return self.kind in ("", kind) and (
            not self.categories or bool(self.categories & categories)
        )


@dataclass(frozen=True)
class Tier:
    """A web tier, as its template says. `unread` are resources that the drills leave out."""

    group: Group
    balancer: Balancer
    egress: tuple[Egress, ...]
    database: Database | None
    alarms: tuple[Alarm, ...]
    notices: tuple[Notice, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def zones(self) -> tuple[str, ...]:
        """Every zone that something is in, in their order."""
        return tuple(sorted({*self.group.zones, *self.balancer.zones}))


def vcpus(instance_type: str) -> int:
    """How many vCPUs an instance type has. Raises TemplateError where its name does not say.

    Source: Amazon EC2 Instance Types Guide; sizes double from `xlarge`, which has four.
    """
    family, _, size = instance_type.partition(".")
    if size in _SINGLE.get(family, ()) or (size == "medium" and not family.startswith("t")):
        return 1
    if size in _SIZES:
        return _SIZES[size]
    found = re.fullmatch(r"(\d+)xlarge", size)
    if found is None:
        raise TemplateError(f"instance type {instance_type}: its name does not say its vCPUs")
    return 4 * int(found[1])
