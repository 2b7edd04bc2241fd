from __future__ import annotations

import json
import os
from collections import Counter

import pytest

from benchmarks import webtier_template
from benchmarks.processes import cpu_seconds
from benchmarks.worker import WorkerError


def test_stacks_that_differ_are_not_compared():
    ours = Counter({"AWS::EC2::VPC": 1, "AWS::EC2::Subnet": 19})
    webtier_template.compare(ours, ours)
    webtier_template.compare(ours, ours + Counter({"AWS::IAM::Policy": 2}))
    with pytest.raises(WorkerError, match=r"lacks {'AWS::EC2::Subnet': 1}"):
        webtier_template.compare(ours, ours - Counter({"AWS::EC2::Subnet": 1}))
    with pytest.raises(WorkerError, match="has 23 resources beside 20"):
        webtier_template.compare(ours, ours + Counter({"AWS::IAM::Policy": 3}))


def test_types_are_counted_in_the_template_beside_other_files(tmp_path):
    resources = {"A": {"Type": "AWS::EC2::VPC"}, "B": {"Type": "AWS::EC2::VPC"}}
    (tmp_path / "stack.template.json").write_text(json.dumps({"Resources": resources}))
    (tmp_path / "manifest.json").write_text("{}")
    assert webtier_template.resource_types(tmp_path) == Counter({"AWS::EC2::VPC": 2})


def test_the_time_of_started_processes_counts(tmp_path):
    work = "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done"
    own = cpu_seconds(["sh", "-c", work], tmp_path, os.environ)
    assert cpu_seconds(["sh", "-c", f"sh -c '{work}'; true"], tmp_path, os.environ) > own / 4
    with pytest.raises(WorkerError, match="failed"):
        cpu_seconds(["sh", "-c", "exit 3"], tmp_path, os.environ)
