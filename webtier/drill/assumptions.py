"""What no template says, and a drill has to assume: each with its unit, meaning and source.

`--assume NAME=VALUE` replaces one. Measure yours: the application's share of them differs most.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

_AWS = "https://docs.aws.amazon.com"
_ELB = f"{_AWS}/elasticloadbalancing/latest"
_SCALING = f"{_AWS}/autoscaling/ec2/userguide"
_RDS = f"{_AWS}/AmazonRDS/latest/UserGuide"
OWN = "measure yours"


class AssumptionError(ValueError):
    """No assumption of that name, or no such value; the message is one line."""


def _assume(value: Any, unit: str, meaning: str, source: str = OWN) -> Any:
    return field(default=value, metadata={"unit": unit, "meaning": meaning, "source": source})


@dataclass(frozen=True)
class Assumptions:
    """What a drill assumes. Every number is at least 0."""

    requests_per_vcpu: float = _assume(50.0, "requests/s", "what one vCPU can serve")
    wait_seconds: float = _assume(
        0.01, "s", "what a request waits, for the database above all, without using the CPU"
    )
    client_timeout_seconds: float = _assume(
        10.0, "s", "how long a request queues before it is given up; an instance queues no more"
    )
    load_share: float = _assume(
        0.9, "share", "the usual load, as a share of what the scaling targets allow MinSize"
    )
    traffic_factor: float = _assume(3.0, "times", "how many times the usual load a spike is")
    spike_minutes: float = _assume(25.0, "min", "how long a spike lasts")
    database_share: float = _assume(0.5, "share", "requests that fail without the database")
    ready_path: str = _assume(
        "/ready", "path", "a health check of this path fails while the database is away"
    )
    faulty_share: float = _assume(
        0.25, "share", "answers of a faulty version that are errors, while its health check passes"
    )
    launch_seconds: float = _assume(
        30.0,
        "s",
        "from the launch of an instance to its registration as a target, without a launch hook",
    )
    registration_seconds: float = _assume(
        10.0, "s", "from the end of an instance's launch hook to its registration as a target"
    )
    boot_seconds: float = _assume(
        90.0, "s", "from the launch of an instance until its application answers"
    )
    failure_signal_seconds: float = _assume(
        45.0, "s", "how long an installation tries before it signals that it failed"
    )
    replacement_seconds: float = _assume(
        60.0,
        "s",
        "from an unhealthy instance to its replacement's launch",
        f"{_SCALING}/ec2-auto-scaling-health-checks.html (no time is promised)",
    )
    status_check_seconds: float = _assume(
        120.0,
        "s",
        "until two EC2 status checks, one a minute, have failed",
        f"{_AWS}/AWSEC2/latest/UserGuide/monitoring-system-instance-status-check.html",
    )
    metric_delay_seconds: float = _assume(
        60.0,
        "s",
        "from the end of a metric's period to the evaluation of its alarms",
        f"{_AWS}/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html (no time is promised)",
    )
    dns_detection_seconds: float = _assume(
        30.0,
        "s",
        "until the addresses of a lost zone leave the load balancer's name",
        f"{_ELB}/application/introduction.html (no time is promised)",
    )
    dns_ttl_seconds: float = _assume(
        60.0,
        "s",
        "how long a client keeps an address of the load balancer",
        f"{_AWS}/elasticloadbalancing/latest/userguide/how-elastic-load-balancing-works.html",
    )
    failover_seconds: float = _assume(
        120.0,
        "s",
        "how long a Multi-AZ instance is away when it fails over: 60–120 s",
        f"{_RDS}/Concepts.MultiAZ.Failover.html",
    )
    cluster_failover_seconds: float = _assume(
        35.0,
        "s",
        "how long a Multi-AZ cluster is away when it fails over: under 35 s",
        f"{_RDS}/multi-az-db-clusters-concepts-failover.html",
    )
    event_delay_seconds: float = _assume(
        60.0,
        "s",
        "from what happens to the database until RDS's event of it is there",
        f"{_RDS}/USER_Events.overview.html (no time is promised)",
    )
    disk_used_share: float = _assume(0.5, "share", "the database's storage that is used at first")
    disk_growth_gib_per_hour: float = _assume(1.0, "GiB/h", "how fast the data grows")
    disk_pause_hours: float = _assume(
        6.0,
        "h",
        "how long storage cannot grow again after it grew",
        f"{_RDS}/USER_PIOPS.Autoscaling.html",
    )

    def changed(self, settings: list[str]) -> Assumptions:
        """These, with each `name=value` put in its place. Raises AssumptionError."""
        known = {one.name: one for one in fields(self)}
        values: dict[str, Any] = {}
        for setting in settings:
            name, equals, text = setting.partition("=")
            if not equals or name not in known:
                raise AssumptionError(f"{setting}: give NAME=VALUE, a NAME of {', '.join(known)}")
            if isinstance(known[name].default, str):
                values[name] = text
                continue
            try:
                values[name] = float(text)
            except ValueError:
                raise AssumptionError(f"{name}: {text!r} is no number") from None
            limit = 1.0 if known[name].metadata["unit"] == "share" else float("inf")
            if not 0 <= values[name] <= limit or values[name] == float("inf"):
                raise AssumptionError(f"{name}: {text} is not from 0 to {limit:g}")
            if name == "requests_per_vcpu" and not values[name]:
                raise AssumptionError(f"{name}: must be more than 0")
        return replace(self, **values)


def table() -> list[tuple[str, str, str, str, str]]:
    """Name, default, unit, meaning and source of each assumption."""
    return [
        (
            one.name,
            f"{one.default:g}" if isinstance(one.default, float) else str(one.default),
            one.metadata["unit"],
            one.metadata["meaning"],
            one.metadata["source"],
        )
        for one in fields(Assumptions)
    ]
