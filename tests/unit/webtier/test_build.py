from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.template import MAX_OBJECT
from tests.unit.webtier import golden
from tests.unit.webtier.combinations import covering
from webtier import build
from webtier.build import Options

SCRIPT = Path(build.__file__)
DOCUMENT = (Path(__file__).parents[3] / "docs" / "webtier.md").read_text(encoding="utf-8")


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_it_writes_the_template_into_build_and_prints_the_path(tmp_path: Path) -> None:
    done = run(cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "build/webtier.json\n", "")
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["webtier.json"]
    written = (tmp_path / "build" / "webtier.json").read_bytes()
    assert written == (golden.FOLDER / "webtier.json").read_bytes(), golden.COMMAND


def test_the_templates_are_the_golden_ones(tmp_path: Path) -> None:
    golden.write(tmp_path)
    for name in golden.OPTIONS:
        assert (tmp_path / name).read_bytes() == (golden.FOLDER / name).read_bytes(), (
            f"{name} changed; if that is meant, renew it: {golden.COMMAND}"
        )
    assert sorted(golden.OPTIONS) == sorted(path.name for path in golden.FOLDER.iterdir())


def test_the_options_reach_the_template(tmp_path: Path) -> None:
    done = run(
        *("--zones", "3", "--vpc-cidr", "10.8.0.0/18", "--nat", "one", "--no-firewall"),
        *("--architecture", "x86_64", "--spot-percent", "50"),
        *("--spot-types", "m7i.large", "--spot-types", "m7a.large", "--time-zone", "Etc/UTC"),
        *("--schedule", "0 7 * * MON-FRI = 4", "--schedule", "0 19 * * MON-FRI=2"),
        *("--database", "replica", "--storage-gib", "50", "--max-storage-gib", "500"),
        *("--backup-days", "7", "--log-days", "30", "--no-deletion-protection", "--plain-http"),
        *("--output", "out"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    body = json.loads((tmp_path / "out" / "webtier.json").read_text())
    resources = {name: one.get("Properties") for name, one in body["Resources"].items()}
    assert resources["Vpc"]["CidrBlock"] == "10.8.0.0/18"
    assert "ApplicationSubnetC" in resources
    assert [name for name in resources if name.startswith("NatGateway")] == ["NatGatewayA"]
    assert "Firewall" not in resources
    assert body["Parameters"]["InstanceType"]["Default"] == "t3.small"
    policy = resources["Group"]["MixedInstancesPolicy"]
    assert policy["LaunchTemplate"]["Overrides"] == [
        {"InstanceType": name} for name in ({"Ref": "InstanceType"}, "m7i.large", "m7a.large")
    ]
    minima = {
        resources[f"ScheduledMinimum{number}"]["Recurrence"]: resources[
            f"ScheduledMinimum{number}"
        ]["MinSize"]
        for number in (1, 2)
    }
    assert minima == {"0 7 * * MON-FRI": 4, "0 19 * * MON-FRI": 2}
    assert resources["DatabaseReplica"]["SourceDBInstanceIdentifier"] == {"Ref": "Database"}
    assert resources["Database"]["AllocatedStorage"] == "50"
    assert resources["Database"]["MaxAllocatedStorage"] == 500
    assert resources["Database"]["BackupRetentionPeriod"] == 7
    assert resources["Database"]["DeletionProtection"] is False
    assert resources["FlowLogGroup"]["RetentionInDays"] == 30
    assert resources["Listener"]["Protocol"] == "HTTP"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--zones", "4"), "zones: 4 is not 2 or 3"),
        (("--vpc-cidr", "10.0.0.0/8"), "10.0.0.0/8 is not between /16 and /22; try 10.0.0.0/16"),
        (("--vpc-cidr", "10.0.0.1/16"), "argument --vpc-cidr: 10.0.0.1/16 has host bits set"),
        (("--zone", "x"), "argument --zones: 'x' is not a whole number"),
        (("--nat", "two"), "argument --nat: 'two' is not one of per-zone, one, none"),
        (
            ("--schedule", "7 o'clock = 4"),
            "argument --schedule: \"7 o'clock = 4\" is not like '0 7",
        ),
        (("--log-days", "100"), "log-days: CloudWatch does not keep logs for 100 days; try 120"),
    ],
)
def test_a_bad_option_is_named_and_nothing_is_written(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    usage, problem = done.stderr.splitlines()
    assert usage == "usage: python webtier/build.py [--help] [OPTION ...]"
    assert message in problem
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("--output", "file", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "python webtier/build.py: cannot write to file: not a directory\n"


def test_a_failed_write_leaves_the_earlier_template(tmp_path: Path) -> None:
    built = build.template(Options())
    target = build.write(built, tmp_path)
    before = target.read_bytes()
    built.set_metadata({"not JSON": object()})
    with pytest.raises(TypeError):
        build.write(built, tmp_path)
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_help_and_document_list_the_same_options(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    listed = set(re.findall(r"^  (--[a-z-]+)", done.stdout, re.MULTILINE))
    assert listed == set(re.findall(r"^\| `(--[a-z-]+)`", DOCUMENT, re.MULTILINE))


def test_it_is_no_larger_than_cloudformation_takes() -> None:
    for options in covering():
        body = json.dumps(build.template(options).to_dict(), separators=(",", ":"))
        assert len(body.encode()) < MAX_OBJECT / 8, options


def test_the_same_options_give_the_same_bytes() -> None:
    for options in golden.OPTIONS.values():
        assert build.template(options).to_json() == build.template(options).to_json()
