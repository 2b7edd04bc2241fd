"""Auto Scaling groups whose instances run the application, as processes of this machine.

AWS: a group starts as many instances as it should have, spread over its zones, each of the version
of the launch template that the group names; once its launch hooks let it, it registers one with its
target groups. It replaces one that has ended or that, with health checks of ELB, the load balancer
finds unhealthy once the grace period is over: after the new one is ready, where its maintenance
policy asks for all of its capacity. CloudFormation waits until the new instances signal success,
and, where the group has an update policy, replaces them in batches: it starts a new one, waits for
its signal, ends an old one; a failure ends the update, which is rolled back. Sources: Amazon EC2
Auto Scaling user guide, "Health checks for instances in an Auto Scaling group",
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-health-checks.html, and
"Instance maintenance policies",
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-maintenance-policy.html;
AWS CloudFormation template reference, "UpdatePolicy attribute",
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html.

MiniStack 1.5.33: a group is a record; its instances, if any, are made-up names in service.

The filler: an instance is a process, as `machines` runs it. CloudFormation waits for the signal
that it would send: a success once its target is healthy, or what went wrong. A boot is not as much
faster here as health checks are: a group without launch hooks registers only what answers, too.
Groups of launch templates without an application's settings stay records. An update is always
rolling, one instance at a time. There is no scaling by alarms or activity history.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ministack.services import autoscaling, ec2
from ministack.services.cloudformation import provisioners

from sandbox.gaps import blocking_types, lifecycle_hooks, load_balancers, machines
from sandbox.gaps.machines import Instance, LaunchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.gaps.resource_types import Attributes, Properties

TYPE = "AWS::AutoScaling::AutoScalingGroup"
# Seconds, as they pass here.
PAUSE = 0.2
PAUSE_AFTER_A_FAILURE = 3.0

_create = provisioners._asg_create
_update = provisioners._asg_update
_delete = provisioners._asg_delete
_reconcile_instances = autoscaling._reconcile_instances


class Group:
    """Keeps an Auto Scaling group at its size. `record` is the emulator's own of the group."""

    def __init__(self, record: dict[str, Any], properties: Properties, scale: float) -> None:
        self.record = record
        self.take(properties)
        self.instances: list[Instance] = []
        self.changing = threading.RLock()
        self._scale = scale
        self._closed = threading.Event()
        self._keeper = threading.Thread(
            target=contextvars.copy_context().run, args=(self._keep,), daemon=True
        )

    def take(self, properties: Properties) -> None:
        """Take what the emulator's record has not."""
        self.target_groups: list[str] = list(properties.get("TargetGroupARNs", []))
        maintenance = properties.get("InstanceMaintenancePolicy") or {}
        self._launches_first = int(maintenance.get("MinHealthyPercentage", 0)) == 100
        self._warm_up = float(properties.get("DefaultInstanceWarmup", 0))

    def begin(self) -> None:
        """Start the instances and keep them running. Raises LaunchError, with none left."""
        with self.changing:
            try:
                while len(self.instances) < self.record["DesiredCapacity"]:
                    self._launch_signalled()
            except LaunchError:
                self.close()
                raise
        self._keeper.start()

    def roll(self) -> None:
        """Replace, one by one, what is of another version than the group's.

        Raises LaunchError: a new one did not come up; the old ones that are left stay.
        """
        with self.changing:
            for old in [found for found in self.instances if found.version != self.version()]:
                self._launch_signalled()
                self.end(old)

    def version(self) -> tuple[str, str]:
        """The launch template and its version that new instances are of."""
        specification = self.record["LaunchTemplate"]
        template = ec2._launch_templates[specification["LaunchTemplateId"]]
        wanted = str(specification["Version"])
        numbers = {
            "$Latest": template["LatestVersionNumber"],
            "$Default": template["DefaultVersionNumber"],
        }
        return template["LaunchTemplateId"], str(numbers.get(wanted, wanted))

    def _launch_signalled(self) -> None:
        """Start an instance and wait for its signal. Raises LaunchError where it is a failure."""
        try:
            self.launch(until_signal=True).result()
        except LaunchError as error:
            raise LaunchError(
                "Received 1 FAILURE signal(s) out of 1. Unable to satisfy 100% MinSuccessful"
                f"InstancesPercent requirement: {error}"
            ) from error

    def launch(
        self, instead_of: Instance | None = None, *, until_signal: bool = False
    ) -> Future[None]:
        """Start an instance in the zone that has the fewest; what it signals at the end.

        It is in service when this returns. Raises LaunchError where it cannot be, `until_signal` as
        soon as it says so; and so does the signal where the load balancer does not find it healthy.
        """
        subnets = self.record["VPCZoneIdentifier"].split(",")
        zones = {ec2._subnets[subnet]["AvailabilityZone"]: subnet for subnet in subnets}
        population = [found.zone for found in self.instances if found is not instead_of]
        zone = min(sorted(zones), key=population.count)
        instance = machines.start(self.version(), zone, zones[zone])
        self.instances.append(instance)
        actions = lifecycle_hooks.begin(self.record, instance.id)
        instance.state = "Pending:Wait" if actions else "Pending"
        self._show()
        signal = in_background(instance.set_up)
        try:
            if actions:
                self._wait(actions, signal, until_signal=until_signal)
            else:
                signal.result()
        except LaunchError as error:
            self.end(instance, drain=False)
            raise LaunchError(f"{instance.id}: {error}") from error
        for group in self.target_groups:
            load_balancers.register(group, instance.id, instance.port)
        instance.state, instance.in_service = "InService", time.monotonic()
        self._show()
        return signal

    def _wait(
        self, actions: list[lifecycle_hooks.Action], signal: Future[None], *, until_signal: bool
    ) -> None:
        """Wait for a launch's hooks. Raises LaunchError."""

        def is_off() -> bool:
            failed = signal.done() and signal.exception() is not None
            return self._closed.is_set() or (until_signal and failed)

        if lifecycle_hooks.wait(actions, is_off) == lifecycle_hooks.CONTINUE:
            return
        # It says why right after it abandoned the launch; one that is too slow does not.
        with contextlib.suppress(TimeoutError):
            signal.result(1)
        raise LaunchError("its launch hook was abandoned, or nobody completed it in time")

    def end(self, instance: Instance, *, drain: bool = True) -> None:
        """Take an instance off the load balancer, then stop it."""
        self.instances.remove(instance)
        self._show()
        for group in self.target_groups:
            load_balancers.deregister(group, instance.id, drain=drain)
        instance.stop()

    def leave(self) -> None:
        """Replace no instance that ends from now on."""
        self._closed.set()

    def close(self) -> None:
        """End every instance, and keep none any more."""
        self.leave()
        with self.changing:
            for instance in self.instances:
                instance.terminate()
            for instance in list(self.instances):
                self.end(instance, drain=False)

    def _keep(self) -> None:
        while not self._closed.wait(PAUSE):
            if not self.changing.acquire(blocking=False):
                continue
            try:
                self._repair()
            except LaunchError as error:
                autoscaling.logger.warning("%s: %s", self.record["AutoScalingGroupName"], error)
                self._closed.wait(PAUSE_AFTER_A_FAILURE)
            finally:
                self.changing.release()

    def _repair(self) -> None:
        for instance in list(self.instances):
            if instance.has_ended():
                self.end(instance, drain=False)
            elif self._is_unhealthy(instance):
                if self._launches_first:
                    self._succeed(instance)
                self.end(instance)
        while len(self.instances) < self.record["DesiredCapacity"]:
            self.launch()
        while len(self.instances) > self.record["DesiredCapacity"]:
            self.end(self.instances[0])

    def _succeed(self, instance: Instance) -> None:
        """Launch another one for it, and wait until that is ready. Raises LaunchError."""
        self.launch(instead_of=instance)
        successor = self.instances[-1]
        while not self._closed.wait(PAUSE) and not successor.has_ended():
            healthy = all(
                load_balancers.state(group, successor.id) == "healthy"
                for group in self.target_groups
            )
            if healthy and time.monotonic() - successor.in_service >= self._warm_up / self._scale:
                return

    def _is_unhealthy(self, instance: Instance) -> bool:
        if self.record["HealthCheckType"] != "ELB":
            return False
        grace = self.record["HealthCheckGracePeriod"] / self._scale
        if time.monotonic() - instance.in_service < grace:
            return False
        return any(
            load_balancers.state(group, instance.id) == "unhealthy" for group in self.target_groups
        )

    def _show(self) -> None:
        """Let the record say what runs."""
        self.record["Instances"] = [
            {
                "InstanceId": instance.id,
                "LifecycleState": instance.state,
                "HealthStatus": "Healthy",
                "AvailabilityZone": instance.zone,
                "ProtectedFromScaleIn": False,
                "LaunchTemplate": {
                    **self.record["LaunchTemplate"],
                    "Version": instance.version[1],
                },
                "LaunchConfigurationName": "",
            }
            for instance in self.instances
        ]


# By the groups' ARNs.
_groups: dict[str, Group] = {}
_scale = 1.0


def install(*, period_scale: float) -> None:
    """Wrap the emulator's own type; the grace period is divided by `period_scale`."""
    global _scale
    _scale = period_scale
    provisioners._asg_create = create
    provisioners._asg_delete = delete
    provisioners._RESOURCE_HANDLERS[TYPE].update(create=create, update=update, delete=delete)
    autoscaling._reconcile_instances = reconcile
    blocking_types.add(TYPE)


def leave() -> None:
    """Replace no instance that ends from now on: all of them are about to."""
    for group in list(_groups.values()):
        group.leave()


def reset() -> None:
    """End every instance."""
    while _groups:
        _groups.popitem()[1].close()


def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
    """Create the group, and start its instances. Raises ValueError where one does not come up."""
    name, attributes = _create(logical_id, properties, stack_name)
    record = autoscaling._asgs[name]
    take_template(record, properties)
    lifecycle_hooks.keep(name, properties)
    if runs(record):
        group = Group(record, properties, _scale)
        try:
            group.begin()
        except LaunchError as error:
            _delete(name, properties)
            raise ValueError(str(error)) from error
        _groups[record["AutoScalingGroupARN"]] = group
    return name, attributes


def update(
    name: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None
) -> tuple[str, Attributes]:
    """Update the group; another version of its launch template replaces its instances.

    Raises ValueError where a new one does not come up.
    """
    updated, attributes = _update(name, old, new, stack_name, logical_id)
    record = autoscaling._asgs[updated]
    take_template(record, new)
    lifecycle_hooks.keep(updated, new)
    group = _groups.get(record["AutoScalingGroupARN"])
    if group is not None:
        group.take(new)
        group._show()
        try:
            group.roll()
        except LaunchError as error:
            raise ValueError(str(error)) from error
    return updated, attributes


def delete(name: str, properties: Properties) -> None:
    """Delete the group and end its instances."""
    record = autoscaling._asgs.get(name) or {}
    _delete(name, properties)
    if group := _groups.pop(record.get("AutoScalingGroupARN", ""), None):
        group.close()


def reconcile(record: dict[str, Any]) -> None:
    """After a change of the group's size by its API: a group that runs does so by itself."""
    if record["AutoScalingGroupARN"] not in _groups:
        _reconcile_instances(record)


def take_template(record: dict[str, Any], properties: Properties) -> None:
    """Let a group of several instance types know its launch template, too."""
    mixed = properties.get("MixedInstancesPolicy") or {}
    specification = (mixed.get("LaunchTemplate") or {}).get("LaunchTemplateSpecification")
    if specification:
        record["LaunchTemplate"] = provisioners._asg_launch_template(specification)


def runs(record: dict[str, Any]) -> bool:
    """Whether the group's launch template has the settings of an application."""
    template = ec2._launch_templates.get(record["LaunchTemplate"].get("LaunchTemplateId"))
    return (
        template is not None
        and machines.settings(template["Versions"][-1]).keys() >= machines.SETTINGS
    )


def in_background(function: Callable[[], None]) -> Future[None]:
    """Call it in a thread of its own, in the same account and region."""
    outcome: Future[None] = Future()

    def call() -> None:
        try:
            function()
        except BaseException as error:
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    threading.Thread(target=contextvars.copy_context().run, args=(call,), daemon=True).start()
    return outcome
