"""A part of two stacks: the first in the monitoring account, its outputs for the second."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import EmbeddedAws

CHECKOUT = Path(__file__).resolve().parents[3]
MONITORING, WORKLOAD = "222222222222", "111111111111"

BUILD = """
from types import SimpleNamespace

from troposphere import GetAtt, Output, Parameter, Ref, Template
from troposphere.sqs import Queue
from troposphere.ssm import Parameter as StoredParameter

inventory = SimpleNamespace(InventoryError=LookupError)
WORKLOAD_PARAMETERS_FROM_MONITORING = {"Watcher": "InboxArn"}


def artifacts():
    return {}


def templates(stage):
    monitoring = Template()
    monitoring.add_parameter(Parameter("Delay", Type="Number"))
    inbox = monitoring.add_resource(Queue("Inbox", DelaySeconds=Ref("Delay")))
    monitoring.add_output(Output("InboxArn", Value=GetAtt(inbox, "Arn")))
    workload = Template()
    workload.add_parameter(Parameter("Watcher", Type="String"))
    workload.add_resource(
        StoredParameter("Note", Name="/watcher/NAME", Type="String", Value=Ref("Watcher"))
    )
    return {"monitoring": monitoring, "workload": workload}
"""


@pytest.fixture
def root(aws: EmbeddedAws, tmp_path: Path, unique: str) -> Iterator[Path]:
    part = tmp_path / "monitoring"
    part.mkdir()
    (part / "__init__.py").touch()
    (part / "build.py").write_text(BUILD.replace("NAME", unique))
    (part / "stages.toml").write_text("[dev.parameters.monitoring]\nDelay = 7\n")
    yield tmp_path
    aws.client("cloudformation", WORKLOAD).delete_stack(StackName="monitoring-workload-dev")
    aws.client("cloudformation", MONITORING).delete_stack(StackName="monitoring-dev")


def deploy(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy", "monitoring", "--stage", "dev"]
    return subprocess.run(
        [*command, "--root", str(root), *arguments],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def names(aws: EmbeddedAws, account: str) -> set[str]:
    stacks = aws.client("cloudformation", account).describe_stacks()["Stacks"]
    return {stack["StackName"] for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"}


def test_each_stack_goes_to_its_account_and_the_second_gets_the_outputs_of_the_first(
    aws: EmbeddedAws, root: Path, unique: str
) -> None:
    plan = deploy(root, "--plan")
    assert plan.returncode == 2
    assert "its parameters are outputs of the stack before, which is not there yet" in plan.stdout
    assert "add  AWS::SSM::Parameter  Note" in plan.stdout
    assert "monitoring-dev" not in names(aws, MONITORING)

    deployed = deploy(root)
    assert (deployed.returncode, deployed.stderr) == (0, "")
    assert "monitoring-dev" in names(aws, MONITORING)
    assert "monitoring-workload-dev" in names(aws, WORKLOAD)
    note = aws.client("ssm", WORKLOAD).get_parameter(Name=f"/watcher/{unique}")["Parameter"]
    assert note["Value"].startswith(f"arn:aws:sqs:us-east-1:{MONITORING}:")

    assert deploy(root, "--plan").returncode == 0

    deleted = deploy(root, "--delete", "--yes")
    assert (deleted.returncode, deleted.stderr) == (0, "")
    workload_first = deleted.stdout.index("deleting stack monitoring-workload-dev")
    assert workload_first < deleted.stdout.index("deleting stack monitoring-dev")
    assert "monitoring-dev" not in names(aws, MONITORING)
    assert "monitoring-workload-dev" not in names(aws, WORKLOAD)


def test_an_error_of_the_parts_own_is_one_line(root: Path) -> None:
    with (root / "monitoring" / "build.py").open("a") as file:
        file.write("\n\ndef templates(stage):\n    raise LookupError('no project blog')\n")

    refused = deploy(root)

    assert refused.returncode == 1
    assert refused.stderr == "error: monitoring at the stage dev: no project blog\n"


def test_a_copy_that_the_checkout_hides_is_not_mixed_up_with_it(root: Path) -> None:
    (root / "monitoring" / "__init__.py").unlink()

    refused = deploy(root)

    assert refused.returncode == 1
    assert f"not from {root / 'monitoring' / 'build.py'}" in refused.stderr
