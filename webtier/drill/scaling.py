"""Target tracking: the two alarms of each policy, and the capacity that follows from them.

A policy's alarms look at the target for three minutes to scale out, at 90 % of it for fifteen to
scale in. Any policy scales out, to what would bring its metric to the target; all of them must
agree to scale in, which is more gradual: here one instance a minute. Instances that warm up count
towards capacity, not towards CPU, and keep the group from scaling in. Source: Amazon EC2 Auto
Scaling user guide, "Target tracking scaling policies for Amazon EC2 Auto Scaling" and "Set the
default instance warmup for an Auto Scaling group"; the alarms are those that it creates.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitoring.semantics.alarm_states import EXTRA_PERIODS, Rule, next_state

if TYPE_CHECKING:
    from webtier.drill.assumptions import Assumptions
    from webtier.drill.fleet import Fleet
    from webtier.drill.tier import Tier, Tracking

HIGH_PERIODS, LOW_PERIODS = 3, 15
LOW_SHARE = 0.9
BASIC_MONITORING_MINUTES = 5
# So that a load of exactly the target is not over it by a rounding.
_TOLERANCE = 1e-6
_WITHOUT_POLICY = 0.5


def allowance(tier: Tier, assumptions: Assumptions) -> float:
    """How many requests a second an instance may get before a policy wants more instances.

    Without a policy, half of what it can serve.
    """
    most = tier.group.vcpus * assumptions.requests_per_vcpu
    allowed = [
        policy.target / 60 if policy.metric == "requests" else most * policy.target / 100
        for policy in tier.group.policies
    ]
    return min(allowed, default=most * _WITHOUT_POLICY)


def usual_load(tier: Tier, assumptions: Assumptions) -> float:
    """The usual load in requests a second."""
    return tier.group.min_size * allowance(tier, assumptions) * assumptions.load_share


@dataclass
class Scaling:
    """The policies of a group. Each minute's metrics are known after the delay of metrics."""

    tier: Tier
    assumptions: Assumptions
    minutes: int = 0
    waiting: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    series: dict[str, list[float | None]] = field(default_factory=lambda: defaultdict(list))
    states: dict[str, str] = field(default_factory=dict)

    def measure(self, fleet: Fleet, *, requests: float, targets: float, cpu: float | None) -> None:
        """Take the metrics of the minute that ends now.

        `requests` reached `targets` on average, `cpu` is the mean of the warm instances in percent.
        """
        per_target = requests / targets if targets else 0.0
        found = {"requests": per_target, "total": requests}
        if cpu is not None:
            found["cpu"] = cpu
        self.waiting.append((fleet.now + self.assumptions.metric_delay_seconds, found))

    def step(self, fleet: Fleet) -> None:
        """Evaluate what is known by now, and change the group's desired capacity."""
        while self.waiting and self.waiting[0][0] <= fleet.now:
            _, metrics = self.waiting.pop(0)
            self.minutes += 1
            for policy in self.tier.group.policies:
                self._evaluate(policy, metrics)
            if "AlarmNotification" not in fleet.suspended:
                self._act(fleet, metrics)

    def _evaluate(self, policy: Tracking, metrics: dict[str, float]) -> None:
        self.series[policy.resource].append(metrics.get(policy.metric))
        step = self._period(policy)
        if self.minutes % step:
            return
        values = self._values(policy)
        for end, comparison, threshold, periods in (
            ("high", "GreaterThanThreshold", policy.target * (1 + _TOLERANCE), HIGH_PERIODS),
            ("low", "LessThanThreshold", policy.target * LOW_SHARE, LOW_PERIODS),
        ):
            rule = Rule(comparison, threshold, periods, periods, "missing")
            if len(values) < periods:
                continue
            key = f"{policy.resource}/{end}"
            window = values[-periods - EXTRA_PERIODS :]
            self.states[key] = next_state(rule, window, self.states.get(key, "OK"))

    def _period(self, policy: Tracking) -> int:
        basic = policy.metric == "cpu" and not self.tier.group.detailed_monitoring
        return BASIC_MONITORING_MINUTES if basic else 1

    def _values(self, policy: Tracking) -> list[float | None]:
        step, minutes = self._period(policy), self.series[policy.resource]
        values: list[float | None] = []
        for at in range(step, len(minutes) + 1, step):
            known = [value for value in minutes[at - step : at] if value is not None]
            values.append(sum(known) / len(known) if known else None)
        return values

    def _needed(self, policy: Tracking, fleet: Fleet, metrics: dict[str, float]) -> int:
        if policy.metric == "requests":
            return math.ceil(metrics["total"] / policy.target - _TOLERANCE)
        latest = next((one for one in reversed(self._values(policy)) if one is not None), 0.0)
        return math.ceil(self._warm(fleet) * latest / policy.target - _TOLERANCE)

    def _warm(self, fleet: Fleet) -> int:
        warm_up = self.tier.group.warm_up
        return sum(fleet.now >= one.in_service + warm_up for one in fleet.members)

    def _act(self, fleet: Fleet, metrics: dict[str, float]) -> None:
        group = self.tier.group
        policies = group.policies
        out = [one for one in policies if self.states.get(f"{one.resource}/high") == "ALARM"]
        if out:
            needed = max(self._needed(policy, fleet, metrics) for policy in out)
            self._set(fleet, min(group.max_size, max(fleet.desired, needed)), out[0])
            return
        inward = [one for one in policies if one.scale_in]
        low = [one for one in inward if self.states.get(f"{one.resource}/low") == "ALARM"]
        settled = self._warm(fleet) == len(fleet.members) == fleet.desired
        if inward and len(low) == len(inward) and settled:
            needed = max(self._needed(policy, fleet, metrics) for policy in inward)
            if max(group.min_size, needed) < fleet.desired:
                self._set(fleet, fleet.desired - 1, low[0])
                fleet.terminate(fleet.surplus())

    @staticmethod
    def _set(fleet: Fleet, desired: int, policy: Tracking) -> None:
        if desired != fleet.desired:
            fleet.tell(f"{policy.resource} sets the capacity from {fleet.desired} to {desired}")
            fleet.desired = desired
