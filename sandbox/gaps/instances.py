"""Auto Scaling groups whose instances run the application, as processes of this machine.

AWS: a group starts as many instances as it should have, spread over its zones, each of the version
of the launch template that the group names; it registers them with its target groups, and replaces
one that has ended or that, with health checks of ELB, the load balancer finds unhealthy once the
grace period is over. CloudFormation waits until the new instances signal success, and, where the
group has an update policy, replaces them in batches: it starts a new one, waits for its signal,
ends an old one; a failure ends the update, which is rolled back. Sources: Amazon EC2 Auto Scaling
user guide, "Health checks for instances in an Auto Scaling group",
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-health-checks.html; AWS
CloudFormation template reference, "UpdatePolicy attribute",
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html.

MiniStack 1.5.33: a group is a record; its instances, if any, are made-up names in service.

The filler: an instance is a record of EC2 and a process. Its user data is not run: it would install
itself on this machine. Of that script the settings are read, the lines NAME='value' before the
first empty one. The artifact that they name is fetched with the instance profile's credentials,
compared with its checksum and unpacked; its `start` is run with the variables that the script would
give it, on a port of its own, and is a success once the health path answers. `install` is left out.
Groups of launch templates without such settings stay records. An update is always rolling, one
instance at a time. There is no scaling by alarms, warm-up, lifecycle hook or activity history.
"""

from __future__ import annotations

import base64
import contextvars
import hashlib
import io
import os
import secrets
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from botocore.exceptions import BotoCoreError, ClientError
from ministack.core.responses import get_account_id, get_region
from ministack.services import autoscaling, ec2, iam, sts
from ministack.services.cloudformation import provisioners

from sandbox import certificates
from sandbox.emulator import any_free_port
from sandbox.gaps import blocking_types, load_balancers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.gaps.resource_types import Attributes, Properties

TYPE = "AWS::AutoScaling::AutoScalingGroup"
# What the user data has to name for an instance to be run.
SETTINGS = frozenset({"BUCKET", "KEY", "SHA256", "PORT", "HEALTH_PATH"})
# These are the script's own; all others are the application's.
_SCRIPTS_OWN = SETTINGS | {"RESOURCE", "STACK", "REGION"}
# Seconds, as they pass here.
START_TIMEOUT = 60.0
STOP_TIMEOUT = 40.0
PAUSE = 0.2
PAUSE_AFTER_A_FAILURE = 3.0

_create = provisioners._asg_create
_update = provisioners._asg_update
_delete = provisioners._asg_delete
_reconcile_instances = autoscaling._reconcile_instances


class LaunchError(Exception):
    """An instance did not come up; the message is what it would have signalled."""


@dataclass
class Instance:
    """An instance that runs: its record's id, where it is, what runs it."""

    id: str
    zone: str
    version: tuple[str, str]
    port: int
    directory: Path
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)

    def has_ended(self) -> bool:
        """Whether the process is gone, or EC2 was told to stop it."""
        record = ec2._instances.get(self.id)
        running = record is not None and record["State"]["Name"] == "running"
        return not running or self.process.poll() is not None

    def stop(self) -> None:
        """End the process, which may answer what it was asked, and remove its files."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self.id in ec2._instances:
            ec2._instances[self.id]["State"] = {"Code": 48, "Name": "terminated"}


class Group:
    """Keeps an Auto Scaling group at its size. `record` is the emulator's own of the group."""

    def __init__(self, record: dict[str, Any], target_groups: list[str], scale: float) -> None:
        self.record = record
        self.target_groups = target_groups
        self.instances: list[Instance] = []
        self.changing = threading.RLock()
        self._grace = record["HealthCheckGracePeriod"] / scale
        self._closed = threading.Event()
        self._keeper = threading.Thread(
            target=contextvars.copy_context().run, args=(self._keep,), daemon=True
        )

    def begin(self) -> None:
        """Start the instances and keep them running. Raises LaunchError, with none left."""
        with self.changing:
            try:
                self.fill()
            except LaunchError:
                self.close()
                raise
        self._keeper.start()

    def fill(self) -> None:
        """Start what is missing. Raises LaunchError."""
        while len(self.instances) < self.record["DesiredCapacity"]:
            self.launch()

    def roll(self) -> None:
        """Replace, one by one, what is of another version than the group's.

        Raises LaunchError: a new one did not come up; the old ones that are left stay.
        """
        with self.changing:
            for old in [found for found in self.instances if found.version != self.version()]:
                self.launch()
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

    def launch(self) -> None:
        """Start an instance in the zone that has the fewest. Raises LaunchError."""
        subnets = self.record["VPCZoneIdentifier"].split(",")
        zones = {ec2._subnets[subnet]["AvailabilityZone"]: subnet for subnet in subnets}
        population = [instance.zone for instance in self.instances]
        zone = min(sorted(zones), key=population.count)
        instance = start(self.version(), zone, zones[zone])
        self.instances.append(instance)
        for group in self.target_groups:
            load_balancers.register(group, instance.id, instance.port)
        self._show()

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
                instance.process.terminate()
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
                self.end(instance)
        self.fill()
        while len(self.instances) > self.record["DesiredCapacity"]:
            self.end(self.instances[0])

    def _is_unhealthy(self, instance: Instance) -> bool:
        if self.record["HealthCheckType"] != "ELB":
            return False
        if time.monotonic() - instance.started < self._grace:
            return False
        return any(
            load_balancers.state(group, instance.id) == "unhealthy" for group in self.target_groups
        )

    def _show(self) -> None:
        """Let the record say what runs."""
        self.record["Instances"] = [
            {
                "InstanceId": instance.id,
                "LifecycleState": "InService",
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
    if runs(record):
        group = Group(record, list(properties.get("TargetGroupARNs", [])), _scale)
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
    group = _groups.get(record["AutoScalingGroupARN"])
    if group is not None:
        group.target_groups = list(new.get("TargetGroupARNs", []))
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
    return template is not None and settings(template["Versions"][-1]).keys() >= SETTINGS


def settings(version: dict[str, Any]) -> dict[str, str]:
    """The settings in the user data of a version of a launch template."""
    encoded = version["LaunchTemplateData"].get("UserData", "")
    text = base64.b64decode(encoded).decode(errors="replace")
    words = shlex.split(text.split("\n\n", 1)[0], comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def start(version: tuple[str, str], zone: str, subnet: str) -> Instance:
    """Start an instance of that launch template and version. Raises LaunchError."""
    template, number = version
    described = next(
        found
        for found in ec2._launch_templates[template]["Versions"]
        if str(found["VersionNumber"]) == number
    )
    given, data = settings(described), described["LaunchTemplateData"]
    record = ec2._launch_instances_internal(
        image_id=data.get("ImageId", ""),
        instance_type=data.get("InstanceType", ""),
        subnet_id=subnet,
        count=1,
    )[0]
    record["Placement"]["AvailabilityZone"] = zone
    identifier = record["InstanceId"]
    directory = Path(tempfile.gettempdir()) / identifier
    try:
        credentials = profile_credentials(data.get("IamInstanceProfile", {}), identifier)
        unpack(fetch(given, credentials), directory)
        port = any_free_port()
        process = run(directory, variables(given, directory, port, identifier, zone, credentials))
        instance = Instance(identifier, zone, version, port, directory, process)
        wait_until_it_answers(instance, given["HEALTH_PATH"])
    except LaunchError as error:
        shutil.rmtree(directory, ignore_errors=True)
        record["State"] = {"Code": 48, "Name": "terminated"}
        raise LaunchError(
            f"Received 1 FAILURE signal(s) out of 1. Unable to satisfy 100% MinSuccessful"
            f"InstancesPercent requirement: {identifier}: {error}"
        ) from error
    return instance


def profile_credentials(profile: Mapping[str, str], instance: str) -> dict[str, str]:
    """Credentials of the role in the instance profile, as the instance's metadata would give them.

    Without an end: what follows a real instance's is its SDK's business. Raises LaunchError.
    """
    name = profile.get("Name") or profile.get("Arn", "").rsplit("/", 1)[-1]
    roles = (iam._instance_profiles.get(name) or {}).get("Roles")
    if not roles:
        raise LaunchError(f"there is no instance profile {name!r} with a role")
    role = roles[0] if isinstance(roles[0], str) else roles[0]["RoleName"]
    key, secret, token = (
        f"ASIA{secrets.token_hex(8).upper()}",
        secrets.token_hex(20),
        secrets.token_hex(32),
    )
    session = {
        "Arn": f"arn:aws:sts::{get_account_id()}:assumed-role/{role}/{instance}",
        "UserId": f"{role}:{instance}",
        "SecretAccessKey": secret,
        "SessionToken": token,
    }
    sts.register_session(key, session)
    return {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
        "AWS_REGION": get_region(),
        "AWS_DEFAULT_REGION": get_region(),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
    }


def fetch(given: Mapping[str, str], credentials: Mapping[str, str]) -> bytes:
    """The artifact. Raises LaunchError where it cannot be had or is not what was built."""
    client = boto3.client(
        "s3",
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=credentials["AWS_SESSION_TOKEN"],
        region_name=credentials["AWS_REGION"],
        endpoint_url=credentials["AWS_ENDPOINT_URL"],
    )
    try:
        answer = client.get_object(Bucket=given["BUCKET"], Key=given["KEY"])
        content: bytes = answer["Body"].read()
    except (BotoCoreError, ClientError) as error:
        raise LaunchError(f"s3://{given['BUCKET']}/{given['KEY']}: {error}") from error
    if hashlib.sha256(content).hexdigest() != given["SHA256"]:
        raise LaunchError(f"s3://{given['BUCKET']}/{given['KEY']} has another checksum")
    return content


def unpack(content: bytes, directory: Path) -> None:
    """Unpack the artifact. Raises LaunchError where it is none."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            archive.extractall(directory, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise LaunchError(f"the artifact cannot be unpacked: {error}") from error


def variables(
    given: Mapping[str, str],
    directory: Path,
    port: int,
    instance: str,
    zone: str,
    credentials: Mapping[str, str],
) -> dict[str, str]:
    """The environment of the application: the script's, and what leads to the sandbox."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    certificates.write_server(certificate, key)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {
        "PATH": path,
        "TMPDIR": tempfile.gettempdir(),
        **credentials,
        **{name: value for name, value in given.items() if name not in _SCRIPTS_OWN},
        "APPLICATION_VERSION": given["SHA256"][:12],
        "AVAILABILITY_ZONE": zone,
        "INSTANCE_ID": instance,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "TLS_CERTIFICATE": str(certificate),
        "TLS_KEY": str(key),
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": str(certificates.write_authority(directory / "authority.pem")),
        # A laptop's, not an instance's: one process is enough for a few people.
        "WEB_CONCURRENCY": "1",
    }


def run(directory: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Run the artifact's `start`. Raises LaunchError."""
    try:
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [directory / "start"],
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
    except OSError as error:
        raise LaunchError(f"start: {error}") from error
    (directory / "pid").write_text(str(process.pid))
    return process


def wait_until_it_answers(instance: Instance, path: str) -> None:
    """Wait for the health path. Raises LaunchError, the process ended, where it does not answer."""
    context = ssl._create_unverified_context()  # noqa: S323 - as the script's curl --insecure
    deadline = time.monotonic() + START_TIMEOUT
    with httpx.Client(verify=context, timeout=5) as client:
        while True:
            try:
                answer = client.get(f"https://127.0.0.1:{instance.port}{path}")
                if answer.is_success:
                    return
            except httpx.HTTPError:
                pass
            if instance.process.poll() is not None or time.monotonic() > deadline:
                lines = (instance.directory / "log").read_text(errors="replace").splitlines()
                instance.stop()
                raise LaunchError("it does not answer; its last words: " + " ".join(lines[-5:]))
            time.sleep(0.05)
