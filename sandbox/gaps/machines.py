"""Instances, each a record of EC2 and a process of this machine.

AWS: an instance runs its user data at its first boot, with the credentials of its instance profile.
Sources: Amazon EC2 user guide, "Run commands when you launch an EC2 instance with user data input",
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html.

MiniStack 1.5.33: an instance is a record.

The filler: user data is not run: it would install itself on this machine. Of that script the
settings are read, the lines NAME='value' before the first empty one. The artifact that they name is
fetched with the instance profile's credentials, compared with its checksum and unpacked; its
`start` is run with the variables that the script would give it, on a port of its own. Once the
health path answers it completes the launch hook and waits until its target is healthy, where the
settings name them; where anything fails it abandons the launch. Both are asked of the sandbox with
those credentials. `install` is left out.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import math
import os
import secrets
import shlex
import shutil
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
from ministack.services import ec2, iam, sts

from sandbox import certificates
from sandbox.emulator import any_free_port
from sandbox.gaps import lifecycle_hooks

if TYPE_CHECKING:
    from collections.abc import Mapping

# What the user data has to name for an instance to be run.
SETTINGS = frozenset({"BUCKET", "KEY", "SHA256", "PORT", "HEALTH_PATH"})
# These are the script's own; all others are the application's.
_SCRIPTS_OWN = SETTINGS | {"RESOURCE", "STACK", "REGION", "GROUP", "HOOK", "TARGET_GROUP"}
# Seconds, as they pass here.
START_TIMEOUT = 60.0
IN_SERVICE_TIMEOUT = 180.0
STOP_TIMEOUT = 40.0
PAUSE = 0.05


class LaunchError(Exception):
    """An instance did not come up; the message is what it would have signalled."""


@dataclass
class Instance:
    """An instance: its record's id, where it is, what it is told, and once it runs its process."""

    id: str
    zone: str
    version: tuple[str, str]
    port: int
    directory: Path
    given: Mapping[str, str]
    profile: Mapping[str, str]
    state: str = "Pending"
    in_service: float = math.inf
    process: subprocess.Popen[bytes] | None = None
    stopped: bool = False
    changing: threading.Lock = field(default_factory=threading.Lock)

    def has_ended(self) -> bool:
        """Whether the process is gone, or EC2 was told to stop it."""
        record = ec2._instances.get(self.id)
        running = record is not None and record["State"]["Name"] == "running"
        return not running or (self.process is not None and self.process.poll() is not None)

    def set_up(self) -> None:
        """What the script does: install, start, come into service. Raises LaunchError."""
        credentials = profile_credentials(self.profile, self.id)
        try:
            unpack(fetch(self.given, credentials), self.directory)
            with self.changing:
                if self.stopped:
                    raise LaunchError("it was terminated while it booted")
                process = self.process = run(self.directory, variables(self, credentials))
            wait_until_it_answers(self, process)
            complete(self, credentials, lifecycle_hooks.CONTINUE)
            wait_until_it_is_in_service(self, credentials)
        except LaunchError:
            with contextlib.suppress(LaunchError):
                complete(self, credentials, lifecycle_hooks.ABANDON)
            raise

    def terminate(self) -> None:
        """Ask the process to end."""
        with self.changing:
            self.stopped = True
            if self.process is not None:
                self.process.terminate()

    def stop(self) -> None:
        """End the process, which may answer what it was asked, and remove its files."""
        self.terminate()
        if self.process is not None:
            try:
                self.process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self.id in ec2._instances:
            ec2._instances[self.id]["State"] = {"Code": 48, "Name": "terminated"}


def settings(version: dict[str, Any]) -> dict[str, str]:
    """The settings in the user data of a version of a launch template."""
    encoded = version["LaunchTemplateData"].get("UserData", "")
    text = base64.b64decode(encoded).decode(errors="replace")
    words = shlex.split(text.split("\n\n", 1)[0], comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def start(version: tuple[str, str], zone: str, subnet: str) -> Instance:
    """Start an instance of that launch template and version: its record, not yet what it runs."""
    template, number = version
    described = next(
        found
        for found in ec2._launch_templates[template]["Versions"]
        if str(found["VersionNumber"]) == number
    )
    data = described["LaunchTemplateData"]
    record = ec2._launch_instances_internal(
        image_id=data.get("ImageId", ""),
        instance_type=data.get("InstanceType", ""),
        subnet_id=subnet,
        count=1,
    )[0]
    record["Placement"]["AvailabilityZone"] = zone
    identifier = record["InstanceId"]
    return Instance(
        identifier,
        zone,
        version,
        any_free_port(),
        Path(tempfile.gettempdir()) / identifier,
        settings(described),
        data.get("IamInstanceProfile", {}),
    )


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


def client(service: str, credentials: Mapping[str, str]) -> Any:
    """A client of the sandbox with an instance's credentials."""
    return boto3.client(
        service,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=credentials["AWS_SESSION_TOKEN"],
        region_name=credentials["AWS_REGION"],
        endpoint_url=credentials["AWS_ENDPOINT_URL"],
    )


def fetch(given: Mapping[str, str], credentials: Mapping[str, str]) -> bytes:
    """The artifact. Raises LaunchError where it cannot be had or is not what was built."""
    try:
        answer = client("s3", credentials).get_object(Bucket=given["BUCKET"], Key=given["KEY"])
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


def variables(instance: Instance, credentials: Mapping[str, str]) -> dict[str, str]:
    """The environment of the application: the script's, and what leads to the sandbox."""
    directory, given = instance.directory, instance.given
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    certificates.write_server(certificate, key)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {
        "PATH": path,
        "TMPDIR": tempfile.gettempdir(),
        **credentials,
        **{name: value for name, value in given.items() if name not in _SCRIPTS_OWN},
        "APPLICATION_VERSION": given["SHA256"][:12],
        "AVAILABILITY_ZONE": instance.zone,
        "INSTANCE_ID": instance.id,
        "HOST": "127.0.0.1",
        "PORT": str(instance.port),
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


def wait_until_it_answers(instance: Instance, process: subprocess.Popen[bytes]) -> None:
    """Wait for the health path. Raises LaunchError, the process ended, where it does not answer."""
    context = ssl._create_unverified_context()  # noqa: S323 - as the script's curl --insecure
    deadline = time.monotonic() + START_TIMEOUT
    url = f"https://127.0.0.1:{instance.port}{instance.given['HEALTH_PATH']}"
    with httpx.Client(verify=context, timeout=5) as asking:
        while True:
            try:
                if asking.get(url).is_success:
                    return
            except httpx.HTTPError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.wait()
                lines = (instance.directory / "log").read_text(errors="replace").splitlines()
                words = f"its last words: {' '.join(lines[-5:])}" if lines else "it said nothing"
                raise LaunchError(f"it does not answer; {words}")
            time.sleep(PAUSE)


def complete(instance: Instance, credentials: Mapping[str, str], result: str) -> None:
    """End the launch's wait for the hook that the settings name. Raises LaunchError."""
    if "HOOK" not in instance.given:
        return
    try:
        client("autoscaling", credentials).complete_lifecycle_action(
            AutoScalingGroupName=instance.given["GROUP"],
            LifecycleHookName=instance.given["HOOK"],
            InstanceId=instance.id,
            LifecycleActionResult=result,
        )
    except (BotoCoreError, ClientError) as error:
        raise LaunchError(f"its launch cannot be completed: {error}") from error


def wait_until_it_is_in_service(instance: Instance, credentials: Mapping[str, str]) -> None:
    """Wait until the target that the settings name is healthy. Raises LaunchError."""
    if "TARGET_GROUP" not in instance.given:
        return
    asking = client("elbv2", credentials)
    deadline = time.monotonic() + IN_SERVICE_TIMEOUT
    while True:
        try:
            described = asking.describe_target_health(
                TargetGroupArn=instance.given["TARGET_GROUP"], Targets=[{"Id": instance.id}]
            )["TargetHealthDescriptions"]
        except (BotoCoreError, ClientError) as error:
            raise LaunchError(f"it cannot ask for its target's health: {error}") from error
        found = [target["TargetHealth"]["State"] for target in described]
        if found == ["healthy"]:
            return
        if instance.stopped or time.monotonic() > deadline:
            raise LaunchError(f"the load balancer does not find it healthy: {found}")
        time.sleep(PAUSE)
