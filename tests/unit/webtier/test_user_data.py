from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from webtier import compute, load_balancer, user_data

# Amazon EC2 User Guide, "Instance user data": 16 KB before it is encoded.
LIMIT = 16 * 1024


@pytest.fixture
def script(resources: dict[str, Any]) -> str:
    """The script as an instance of the stack gets it."""
    data = resources["ApplicationTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]
    text = data["Fn::Base64"]["Fn::Sub"]
    values = {"AWS::StackName": "webtier-prod", "AWS::Region": "us-east-1"}
    text = re.sub(r"\$\{([^!}]+)\}", lambda match: values[match[1]], text)
    return text.replace("${!", "${")


def test_the_stack_and_region_are_filled_in_and_nothing_else(script: str) -> None:
    settings = user_data.settings(compute.GROUP, "webtier-prod", "us-east-1")
    assert script == settings + user_data.installation()


def test_it_is_small_enough_for_user_data(script: str) -> None:
    assert len(script.encode()) < LIMIT


def test_bash_can_read_it(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_shellcheck_finds_nothing(script: str, tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if not (shellcheck := shutil.which("shellcheck", path=path)):
        pytest.skip("shellcheck is not installed")
    file = tmp_path / "user-data.sh"
    file.write_text(script)
    done = subprocess.run([shellcheck, file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_writes_the_files_of_the_application(script: str, tmp_path: Path) -> None:
    """Runs the part that writes, with its targets moved into a scratch folder."""
    writing, _ = script.split("set -euo pipefail")
    for target in user_data.INSTALLED.values():
        writing = writing.replace(f" {target} <<", f" {tmp_path}{target} <<")
    subprocess.run(["bash", "-eu"], input=writing, text=True, check=True)
    for name, target in user_data.INSTALLED.items():
        written = Path(f"{tmp_path}{target}").read_bytes()
        assert written == (user_data.APPLICATION / name).read_bytes()
        assert Path(f"{tmp_path}{target}").stat().st_mode & 0o777 == 0o644


def test_a_file_that_would_end_early_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(user_data.APPLICATION, tmp_path, dirs_exist_ok=True)
    (tmp_path / "server.py").write_text("print(1)\nEND-OF-FILE\nprint(2)\n")
    monkeypatch.setattr(user_data, "APPLICATION", tmp_path)
    with pytest.raises(ValueError, match=r"server\.py contains the line END-OF-FILE"):
        user_data.installation()


def test_service_check_and_load_balancer_agree_on_port_and_path(script: str) -> None:
    assert f"--port {compute.PORT} " in script
    assert f"https://localhost:{compute.PORT}{load_balancer.HEALTH_PATH}" in script


def test_the_script_signals_the_resource_that_waits(resources: dict[str, Any], script: str) -> None:
    assert f"RESOURCE='{compute.GROUP}'\n" in script
    assert resources[compute.GROUP]["UpdatePolicy"]["AutoScalingRollingUpdate"][
        "WaitOnResourceSignals"
    ]
