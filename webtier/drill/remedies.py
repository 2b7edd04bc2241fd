"""Why a promise is broken: the change to the template that the drill itself says would keep it.

Each remedy is a property that falls short, what to set it to, and the tier with that done. A
broken promise's drill is run again with each of them alone, then with more and more of them
together: the reason is what was needed, not what looks suspicious.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from webtier.drill.drills import DRILLS
from webtier.drill.metrics import BALANCER, DATABASE, GIB, GROUP, INSTANCES, balancer
from webtier.drill.tier import Alarm, LaunchHook, Notice, RollingUpdate, Tracking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from webtier.drill.assumptions import Assumptions
    from webtier.drill.promises import Promise
    from webtier.drill.tier import Group, Tier

_SUSPENDED = frozenset({"AlarmNotification", "HealthCheck", "ReplaceUnhealthy"})
_LOW_SHARE = 0.05
IN_SERVICE = "GroupInServiceInstances"


@dataclass(frozen=True)
class Remedy:
    """A property that falls short and what to do about it; `apply` does it."""

    reason: str
    apply: Callable[[Tier], Tier]


def reason(promise: Promise, tier: Tier, assumptions: Assumptions) -> str:
    """Why a promise is broken, in one line that names resource, property and fix."""
    remedies = tuple(_RELEVANT[promise.drill](tier, assumptions))
    runs = DRILLS[promise.drill].runs

    def helps(changed: Tier) -> bool:
        return promise.holds(promise.measured(runs(changed, assumptions)))

    for remedy in remedies:
        if helps(remedy.apply(tier)):
            return remedy.reason
    together = tier
    for count, remedy in enumerate(remedies, 1):
        together = remedy.apply(together)
        if helps(together):
            return "; ".join(one.reason for one in remedies[:count])
    return "no property that the drills know of keeps it: compare the assumptions with yours"


def _group(change: dict[str, Any]) -> Callable[[Tier], Tier]:
    return lambda tier: replace(tier, group=replace(tier.group, **change))


def _balancer(change: dict[str, Any]) -> Callable[[Tier], Tier]:
    return lambda tier: replace(tier, balancer=replace(tier.balancer, **change))


def _database(change: dict[str, Any]) -> Callable[[Tier], Tier]:
    def apply(tier: Tier) -> Tier:
        return (
            tier
            if tier.database is None
            else replace(tier, database=replace(tier.database, **change))
        )

    return apply


def _network(tier: Tier, _assumptions: Assumptions) -> Iterator[Remedy]:
    def repaired(tier: Tier) -> Tier:
        ways = (replace(way, through=frozenset({way.zone})) for way in tier.egress)
        return replace(tier, egress=tuple(ways))

    for way in tier.egress:
        if not way.through:
            told = f"{way.resource} has no way out: give it a route to a NAT gateway"
        elif way.zone not in way.through:
            told = (
                f"{way.resource} leads {way.zone} through {way.via} in {min(way.through)}: give "
                f"{way.zone} its own NAT gateway"
            )
        else:
            continue
        yield Remedy(told, repaired)
    if len(tier.group.zones) < 2:
        zones = (*tier.group.zones, f"{tier.group.zones[0]}-2")
        ways = tuple(replace(tier.egress[0], zone=one, through=frozenset({one})) for one in zones)
        yield Remedy(
            f"{tier.group.resource}.VPCZoneIdentifier has one zone: give it subnets of two",
            lambda tier: replace(
                tier,
                group=replace(tier.group, zones=zones),
                balancer=replace(tier.balancer, zones=zones),
                egress=ways,
            ),
        )


def _sizes(tier: Tier, assumptions: Assumptions) -> Iterator[Remedy]:
    group = tier.group
    least = max(2, len(group.zones))
    for size in range(group.min_size + 1, least + 1):
        yield Remedy(
            f"{group.source('MinSize')}.MinSize is {group.min_size}: set it to {size}",
            _group(
                {
                    "min_size": size,
                    "desired": max(group.desired, size),
                    "max_size": max(group.max_size, size + 1),
                }
            ),
        )
    most = int(-(-assumptions.traffic_factor * group.min_size // 1))
    if group.max_size < most:
        yield Remedy(
            f"{group.source('MaxSize')}.MaxSize is {group.max_size}: set it to {most}",
            _group({"max_size": most}),
        )


def _checks(tier: Tier, assumptions: Assumptions) -> Iterator[Remedy]:
    group, target = tier.group, tier.balancer
    if not group.elb_checks:
        yield Remedy(
            f"{group.resource}.HealthCheckType is EC2, which does not ask the application: set it "
            "to ELB",
            _group({"elb_checks": True}),
        )
    # With a launch hook an instance answers before it is registered.
    starts = 0.0 if group.hook else assumptions.boot_seconds - assumptions.launch_seconds
    grace = starts + target.interval * (target.healthy + 1)
    if group.grace < grace:
        yield Remedy(
            f"{group.resource}.HealthCheckGracePeriod is {group.grace:g}: an instance needs "
            f"{grace:g} s to pass its checks",
            _group({"grace": float(grace)}),
        )
    if target.path == assumptions.ready_path:
        yield Remedy(
            f"{target.target_group}.HealthCheckPath is {target.path}, which asks the database too: "
            "check the instance alone",
            _balancer({"path": "/health"}),
        )
    if target.interval > 10:
        yield Remedy(
            f"{target.target_group}.HealthCheckIntervalSeconds is {target.interval}: set it to 10",
            _balancer({"interval": 10}),
        )
    if target.unhealthy > 3:
        yield Remedy(
            f"{target.target_group}.UnhealthyThresholdCount is {target.unhealthy}: set it to 3",
            _balancer({"unhealthy": 3}),
        )
    if target.healthy > 2:
        yield Remedy(
            f"{target.target_group}.HealthyThresholdCount is {target.healthy}: set it to 2",
            _balancer({"healthy": 2}),
        )
    if target.slow_start > 60:
        yield Remedy(
            f"{target.target_group} slow_start.duration_seconds is {target.slow_start:g}: set it "
            "to 60",
            _balancer({"slow_start": 60.0}),
        )


def _policies(tier: Tier, assumptions: Assumptions) -> Iterator[Remedy]:
    group = tier.group
    if not group.policies:
        for target in (50.0, 30.0):
            tracking = Tracking("ScaleOnCpu", "cpu", target)
            yield Remedy(
                f"{group.resource} has no target tracking policy: add one on CPU at {target:g} %",
                _group({"policies": (tracking,)}),
            )
    if not group.detailed_monitoring and any(one.metric == "cpu" for one in group.policies):
        yield Remedy(
            f"{group.launch_template}.Monitoring is off, so CPU is known every five minutes only: "
            "enable it",
            _group({"detailed_monitoring": True}),
        )
    for policy in group.policies:
        most = 100.0
        if policy.metric == "requests":
            most = group.vcpus * assumptions.requests_per_vcpu * 60
        for share in (0.5, 0.3):
            if policy.target > share * most:
                yield Remedy(
                    f"{policy.resource} TargetValue is {policy.target:g}: set it to "
                    f"{share * most:g}",
                    _group({"policies": _retargeted(group, policy, share * most)}),
                )
    if group.on_demand_percent < 100:
        yield Remedy(
            f"{group.resource} OnDemandBaseCapacity is {group.on_demand_base}: set it to MinSize, "
            f"{group.min_size}",
            _group({"on_demand_base": group.min_size}),
        )


def _retargeted(group: Group, policy: Tracking, target: float) -> tuple[Tracking, ...]:
    return tuple(
        replace(one, target=target) if one.resource == policy.resource else one
        for one in group.policies
    )


def _updates(tier: Tier, _assumptions: Assumptions) -> Iterator[Remedy]:
    group = tier.group
    where = f"{group.resource} UpdatePolicy"
    if group.update is None:
        whole = RollingUpdate(
            min_in_service=group.desired, signals=True, pause=600, suspended=_SUSPENDED
        )
        yield Remedy(
            f"{where} is missing: add an AutoScalingRollingUpdate that waits for signals",
            _group({"update": whole, "max_size": max(group.max_size, group.desired + 1)}),
        )
        return
    if not group.update.signals:
        yield Remedy(
            f"{where}.WaitOnResourceSignals is off: turn it on, with a PauseTime of PT10M",
            _group({"update": replace(group.update, signals=True, pause=600.0)}),
        )
    if group.update.min_in_service < group.desired:
        kept = replace(group.update, min_in_service=group.desired)
        yield Remedy(
            f"{where}.MinInstancesInService is {group.update.min_in_service}: set it to "
            f"{group.desired}",
            _group({"update": kept}),
        )
    if group.update.success_percent < 100:
        strict = replace(group.update, success_percent=100)
        yield Remedy(
            f"{where}.MinSuccessfulInstancesPercent is {group.update.success_percent}: set it to "
            "100",
            _group({"update": strict}),
        )
    if group.max_size <= group.update.min_in_service:
        more = group.update.min_in_service + 1
        yield Remedy(
            f"{group.source('MaxSize')}.MaxSize is {group.max_size}, which leaves no room above "
            f"MinInstancesInService: set it to {more}",
            _group({"max_size": more}),
        )
    if group.update.pause > 600:
        yield Remedy(
            f"{where}.PauseTime is {group.update.pause:g} s: set it to PT10M",
            _group({"update": replace(group.update, pause=600.0)}),
        )


def _launches(tier: Tier, assumptions: Assumptions) -> Iterator[Remedy]:
    group = tier.group
    needed = 2 * assumptions.boot_seconds
    if group.hook is None:
        hook = LaunchHook(group.resource, needed)
        yield Remedy(
            f"{group.resource} has no lifecycle hook on launching, so that an instance is a target "
            "before it answers: add one, which the instance completes",
            _group({"hook": hook}),
        )
    elif group.hook.timeout < needed:
        yield Remedy(
            f"{group.hook.resource} HeartbeatTimeout is {group.hook.timeout:g}: set it to "
            f"{needed:g}",
            _group({"hook": replace(group.hook, timeout=needed)}),
        )
    if not group.signals_in_service:
        yield Remedy(
            f"{group.launch_template}.UserData signals before the load balancer has the instance: "
            "wait for it (aws elbv2 wait target-in-service)",
            _group({"signals_in_service": True}),
        )


def _draining(tier: Tier, _assumptions: Assumptions) -> Iterator[Remedy]:
    target = tier.balancer
    if target.deregistration < 30:
        yield Remedy(
            f"{target.target_group} deregistration_delay.timeout_seconds is "
            f"{target.deregistration:g}: set it to 30",
            _balancer({"deregistration": 30.0}),
        )


def _storage(tier: Tier, _assumptions: Assumptions) -> Iterator[Remedy]:
    database = tier.database
    if database is None:
        return
    if database.form == "single":
        yield Remedy(
            f"{database.resource}.MultiAZ is not true: set it, so that a standby takes over",
            _database({"form": "standby"}),
        )
    if len(database.zones) < 2:
        zones = (*database.zones, "another zone")
        yield Remedy(
            f"{database.resource}.DBSubnetGroupName has subnets in one zone: give it two",
            _database({"zones": zones}),
        )
    if database.maximum is None:
        more = 10 * database.allocated
        yield Remedy(
            f"{database.resource}.MaxAllocatedStorage is missing: set it to {more:g}",
            _database({"maximum": more}),
        )
    elif database.maximum < 10 * database.allocated:
        more = 10 * database.allocated
        yield Remedy(
            f"{database.resource}.MaxAllocatedStorage is {database.maximum:g}: set it to {more:g}",
            _database({"maximum": more}),
        )
    if database.form == "cluster":
        more = 10 * database.allocated
        yield Remedy(
            f"{database.resource}.AllocatedStorage is {database.allocated:g} and does not grow by "
            f"itself: set it to {more:g}",
            _database({"allocated": more}),
        )


def _heard(*wanted: tuple[str, str]) -> Callable[[Tier, Assumptions], Iterator[Remedy]]:
    """Remedies for what nobody was told of: the alarms on `wanted` metrics, by namespace."""

    def remedies(tier: Tier, _assumptions: Assumptions) -> Iterator[Remedy]:
        for alarm in tier.alarms:
            metric = (alarm.properties.get("Namespace"), alarm.properties.get("MetricName"))
            if metric not in wanted:
                continue
            if alarm.deaf:
                yield Remedy(alarm.deaf, _with_alarm(replace(alarm, deaf="")))
            sharp = _sharper(alarm, tier)
            for name, value in sharp.items():
                if alarm.properties.get(name) != value:
                    yield Remedy(
                        f"{alarm.resource}.{name} is {alarm.properties.get(name)}: set it to "
                        f"{_whole(value)}",
                        _with_alarm(_changed(alarm, {name: value}), hear=True),
                    )
            told = ", ".join(f"{name} {_whole(value)}" for name, value in sharp.items())
            yield Remedy(
                f"{alarm.resource} is too late or too dull: set {told}",
                _with_alarm(_changed(alarm, sharp), hear=True),
            )
        for namespace, name in wanted:
            yield Remedy(
                f"no alarm on {namespace} {name} of this {_owner(namespace, tier)} that "
                f"tells somebody: add one",
                _with_alarm(_added(namespace, name, tier), hear=True),
            )

    return remedies


def _failovers(tier: Tier, _assumptions: Assumptions) -> Iterator[Remedy]:
    """Remedies for a failover that nobody was told of."""
    if tier.database is None:
        return
    kind = "db-cluster" if tier.database.form == "cluster" else "db-instance"
    category = frozenset({"failover"})
    for notice in tier.notices:
        repaired = replace(notice, deaf="")
        if not notice.is_of(kind, category):
            if notice.kind not in ("", kind):
                continue
            repaired = replace(repaired, categories=notice.categories | category)
            yield Remedy(
                f"{notice.resource}.EventCategories lacks failover: add it", _with_notice(repaired)
            )
        elif notice.deaf:
            yield Remedy(notice.deaf, _with_notice(repaired))
    yield Remedy(
        f"no AWS::RDS::EventSubscription tells of failovers of {tier.database.resource}: add one "
        f"of SourceType {kind}",
        _with_notice(Notice("AddedEvents", kind, category, "")),
    )


def _with_notice(notice: Notice) -> Callable[[Tier], Tier]:
    def apply(tier: Tier) -> Tier:
        others = tuple(one for one in tier.notices if one.resource != notice.resource)
        return replace(tier, notices=(*others, notice))

    return apply


def _whole(value: Any) -> Any:
    return round(value) if isinstance(value, float) else value


def _with_alarms(alarms: tuple[Alarm, ...]) -> Callable[[Tier], Tier]:
    return lambda tier: replace(tier, alarms=alarms)


def _with_alarm(alarm: Alarm, *, hear: bool = False) -> Callable[[Tier], Tier]:
    changed = replace(alarm, deaf="") if hear else alarm

    def apply(tier: Tier) -> Tier:
        others = tuple(one for one in tier.alarms if one.resource != alarm.resource)
        return replace(tier, alarms=(*others, changed))

    return apply


def _changed(alarm: Alarm, change: dict[str, Any]) -> Alarm:
    return replace(alarm, properties={**alarm.properties, **change})


def _threshold(metric: str, tier: Tier) -> float:
    if metric == "FreeStorageSpace" and tier.database is not None:
        return _LOW_SHARE * (tier.database.maximum or tier.database.allocated) * GIB
    if metric == IN_SERVICE:
        return float(tier.group.min_size)
    return 0.0 if metric == "UnHealthyHostCount" else 10.0


def _sharper(alarm: Alarm, tier: Tier) -> dict[str, Any]:
    """What an alarm on its metric needs to be in time."""
    wanted: dict[str, Any] = {
        "Dimensions": _dimensions(
            alarm.properties["Namespace"], alarm.properties["MetricName"], tier
        ),
        "Period": 60,
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 3,
        "Threshold": _threshold(alarm.properties["MetricName"], tier),
        "Statistic": _statistic(alarm.properties["MetricName"]),
    }
    if alarm.properties["MetricName"] == "CPUUtilization":
        wanted = {"Period": 60, "EvaluationPeriods": 3, "DatapointsToAlarm": 3}
        wanted["TreatMissingData"] = "breaching"
    return wanted


def _statistic(metric: str) -> str:
    counts = {"FreeStorageSpace": "Minimum", IN_SERVICE: "Minimum", "UnHealthyHostCount": "Maximum"}
    return counts.get(metric, "Average" if metric == "CPUUtilization" else "Sum")


def _dimensions(namespace: str, metric: str, tier: Tier) -> list[dict[str, str]]:
    whole, target = balancer(tier)
    pairs = target
    if namespace == DATABASE and tier.database is not None:
        pairs = dict([tier.database.dimensions[-1]])
    elif namespace in (INSTANCES, GROUP):
        pairs = {"AutoScalingGroupName": tier.group.dimension}
    elif metric.startswith("HTTPCode_ELB"):
        pairs = whole
    return [{"Name": name, "Value": value} for name, value in pairs.items()]


def _owner(namespace: str, tier: Tier) -> str:
    if namespace == DATABASE and tier.database is not None:
        return tier.database.resource
    return tier.group.resource if namespace == GROUP else tier.balancer.resource


def _added(namespace: str, metric: str, tier: Tier) -> Alarm:
    below = metric in ("FreeStorageSpace", IN_SERVICE)
    properties = {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": _dimensions(namespace, metric, tier),
        "Statistic": _statistic(metric),
        "ComparisonOperator": "LessThanThreshold" if below else "GreaterThanThreshold",
        "Threshold": _threshold(metric, tier),
        "Period": 60,
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 3,
        "TreatMissingData": "notBreaching",
    }
    return Alarm("AddedAlarm", "added", properties, "")


def _quieter(tier: Tier, assumptions: Assumptions) -> Iterator[Remedy]:
    (found,) = DRILLS["ordinary-hour"].runs(tier, assumptions)
    loud = dict.fromkeys(change.alarm for change in found.changes if change.state != "OK")
    for alarm in tier.alarms:
        if alarm.resource in loud:
            others = tuple(one for one in tier.alarms if one is not alarm)
            yield Remedy(
                f"{alarm.resource} goes off with the usual load: its Threshold is "
                f"{alarm.properties.get('Threshold')}, or it treats missing data as "
                f"{alarm.properties.get('TreatMissingData', 'missing')}",
                _with_alarms(others),
            )


def _of(
    *parts: Callable[[Tier, Assumptions], Iterable[Remedy]],
) -> Callable[[Tier, Assumptions], Iterator[Remedy]]:
    def remedies(tier: Tier, assumptions: Assumptions) -> Iterator[Remedy]:
        for part in parts:
            yield from part(tier, assumptions)

    return remedies


_BALANCER_ALARMS = (
    (BALANCER, "UnHealthyHostCount"),
    (BALANCER, "HTTPCode_ELB_5XX_Count"),
    (BALANCER, "HTTPCode_Target_5XX_Count"),
)
_RELEVANT: dict[str, Callable[[Tier, Assumptions], Iterator[Remedy]]] = {
    "ordinary-hour": _of(_quieter),
    "lose-zone": _of(
        _network, _sizes, _checks, _launches, _storage, _policies, _heard(*_BALANCER_ALARMS)
    ),
    "lose-instance": _of(_network, _sizes, _checks, _launches, _policies),
    "start-nothing": _of(_heard((GROUP, IN_SERVICE)), _launches),
    "lose-spot": _of(_network, _sizes, _policies, _checks, _launches),
    "triple-traffic": _of(_network, _sizes, _policies, _checks, _launches),
    "good-version": _of(_network, _draining, _updates, _launches, _sizes, _checks, _quieter),
    "broken-version": _of(_updates, _launches, _sizes, _checks),
    "faulty-version": _of(_heard((BALANCER, "HTTPCode_Target_5XX_Count"))),
    "fail-over-database": _of(_storage, _checks, _failovers),
    "lose-database": _of(
        _checks, _heard((BALANCER, "HTTPCode_Target_5XX_Count"), (DATABASE, "CPUUtilization"))
    ),
    "fill-disk": _of(_storage, _heard((DATABASE, "FreeStorageSpace"))),
}
