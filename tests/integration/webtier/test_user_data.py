"""The script of an instance's first boot, run: from S3 to an application that answers.

Its folders are below a scratch folder. Stand-ins, found first on PATH, do what only an instance
can: systemd, the instance's metadata, the system's packages, the end of a launch, the signal to
CloudFormation. Bash,
openssl, tar, sha256sum, curl and the AWS CLI are the real ones, the bucket is the embedded AWS's,
and what `systemctl restart` starts is the application itself.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from sandbox import environment
from sandbox.emulator import any_free_port
from webtier import artifact, user_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import EmbeddedAws

STAND_INS = Path(__file__).with_name("stand_ins")


@dataclass(frozen=True)
class Instance:
    """A folder that is an instance's root, and the variables of its script."""

    root: Path
    variables: dict[str, str]
    environment: dict[str, str]

    def boot(self, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        text = user_data.script(self.variables | changed).replace("${!", "${")
        for folder in ("/opt/", "/etc/", "/var/log/"):
            text = text.replace(folder, f"{self.root}{folder}")
        return subprocess.run(
            ["bash", "-c", text],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def signals(self) -> list[str]:
        """What CloudFormation was told, one line a signal."""
        return (self.root / "signals").read_text().splitlines()

    def launches(self) -> list[str]:
        """How the launch was ended, one word an attempt."""
        hook = self.root / "hook"
        lines = hook.read_text().splitlines() if hook.exists() else []
        told = (
            "autoscaling complete-lifecycle-action --region us-east-1 --auto-scaling-group-name "
            "webtier-test-application --lifecycle-hook-name application-answers "
            "--instance-id i-0123456789abcdef0 --lifecycle-action-result "
        )
        assert all(line.startswith(told) for line in lines), lines
        return [line.removeprefix(told) for line in lines]

    def health(self) -> dict[str, str]:
        """The answer of the application."""
        context = ssl.create_default_context(cafile=str(self.root / "etc/webtier/certificate.pem"))
        context.check_hostname = False
        port = self.variables["PORT"]
        answer = httpx.get(f"https://127.0.0.1:{port}/health", verify=context, timeout=10)
        found: dict[str, str] = answer.raise_for_status().json()
        return found


@pytest.fixture(scope="module")
def made() -> artifact.Artifact:
    return artifact.build(["host"])


@pytest.fixture
def instance(
    aws: EmbeddedAws, unique: str, tmp_path: Path, made: artifact.Artifact
) -> Iterator[Instance]:
    """An instance that has not booted; what it started is stopped afterwards."""
    bucket = f"artifacts-{unique}"
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").put_object(Bucket=bucket, Key=made.key, Body=made.content)
    (tmp_path / "opt" / "aws").mkdir(parents=True)
    shutil.copytree(STAND_INS, tmp_path / "opt" / "aws" / "bin")
    (tmp_path / "var" / "log").mkdir(parents=True)
    elb = aws.client("elbv2")
    (group,) = elb.create_target_group(Name=f"targets-{unique}", Protocol="HTTPS", Port=8443)[
        "TargetGroups"
    ]
    # The group would do so at the end of the launch.
    elb.register_targets(
        TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": "i-0123456789abcdef0"}]
    )
    variables = {
        "RESOURCE": "Group",
        "GROUP": "webtier-test-application",
        "HOOK": "application-answers",
        "TARGET_GROUP": group["TargetGroupArn"],
        "STACK": "webtier-test",
        "REGION": environment.REGION,
        "BUCKET": bucket,
        "KEY": made.key,
        "SHA256": made.sha256,
        "PORT": str(any_free_port()),
        "HEALTH_PATH": "/health",
        "PGHOST": "localhost",
        "PGPORT": "1",
        "PGDATABASE": "webtier",
        "DATABASE_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:111111111111:secret:none",
    }
    path = [tmp_path / "opt/aws/bin", Path(sys.executable).parent, os.environ["PATH"]]
    settings = environment.environment(os.environ, aws.endpoint, aws.directory)
    paths = {"PATH": os.pathsep.join(map(str, path)), "ROOT": str(tmp_path)}
    yield Instance(tmp_path, variables, settings | paths)
    if (tmp_path / "pid").exists():
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)


def test_it_installs_starts_and_reports_and_again_changes_nothing(
    instance: Instance, made: artifact.Artifact
) -> None:
    (instance.root / "early").touch()
    first = instance.boot()
    assert first.returncode == 0, first.stdout
    assert instance.health() == {
        "status": "ok",
        "instance": "i-0123456789abcdef0",
        "zone": "us-east-1b",
        "version": made.sha256[:12],
    }
    signal_of_success = "--success true --stack webtier-test --resource Group --region us-east-1"
    assert instance.signals() == [signal_of_success]
    assert instance.launches() == ["CONTINUE", "CONTINUE"], "it is early once, and asks again"
    assert instance.environment["ROOT"] not in (instance.root / "systemctl").read_text()

    def state() -> dict[str, tuple[int, bytes]]:
        return {
            str(path.relative_to(instance.root)): (path.stat().st_mode, path.read_bytes())
            for folder in ("etc", "opt/webtier")
            for path in (instance.root / folder).rglob("*")
            if path.is_file()
        }

    before = state()
    assert before["etc/webtier/key.pem"][0] & 0o777 == 0o600
    again = instance.boot()
    assert again.returncode == 0, again.stdout
    assert state() == before
    assert instance.signals() == [signal_of_success] * 2
    assert len(instance.launches()) == 2, "it is in service, and stays so"
    assert instance.health()["status"] == "ok"


def test_what_is_not_what_was_built_is_not_installed(instance: Instance) -> None:
    done = instance.boot(SHA256=hashlib.sha256(b"another").hexdigest())
    assert done.returncode != 0
    (told,) = instance.signals()
    assert told.startswith("--success false --reason ")
    assert "FAILED" in told
    assert instance.launches() == ["ABANDON"]
    assert not (instance.root / "opt/webtier/current").exists()
    assert not (instance.root / "pid").exists()


def test_an_artifact_that_is_not_there_is_told(instance: Instance) -> None:
    assert instance.boot(KEY="missing.tar.gz").returncode != 0
    (told,) = instance.signals()
    assert told.startswith("--success false --reason ")
    assert "404" in told
    assert instance.launches() == ["ABANDON"]


def test_an_instance_in_service_that_fails_when_it_is_set_up_again_stays(
    instance: Instance,
) -> None:
    assert instance.boot().returncode == 0
    assert instance.boot(KEY="missing.tar.gz", SHA256="0" * 64).returncode != 0
    assert instance.signals()[-1].startswith("--success false --reason ")
    assert instance.launches() == ["CONTINUE"]
    assert instance.health()["status"] == "ok"


def test_an_application_that_does_not_come_up_is_told_with_its_last_words(
    instance: Instance, aws: EmbeddedAws, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "start").write_text("#!/bin/sh\necho 'cannot find the moon' >&2\nexit 3\n")
    (folder / "start").chmod(0o755)
    (folder / "install").write_text("#!/bin/sh\ntouch installed\n")
    (folder / "install").chmod(0o755)
    packed = shutil.make_archive(str(tmp_path / "broken"), "gztar", folder)
    content = Path(packed).read_bytes()
    aws.client("s3").put_object(Bucket=instance.variables["BUCKET"], Key="broken", Body=content)
    digest = hashlib.sha256(content).hexdigest()
    done = instance.boot(KEY="broken", SHA256=digest, HEALTH_PATH="/health", ONCE="1")
    assert done.returncode != 0
    (told,) = instance.signals()
    assert told.startswith("--success false --reason ")
    assert "cannot find the moon" in told
    assert instance.launches() == ["ABANDON"]
    assert len(told) < 1100
    assert (instance.root / "opt/webtier/current/installed").exists()
