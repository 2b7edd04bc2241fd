from __future__ import annotations

import json
import re
import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from webtier import build
from webtier.build import Options

SCRIPT = Path(build.__file__)
GOLDEN = Path(__file__).parent / "golden" / "webtier.json"
# AWS CloudFormation User Guide, "Understand CloudFormation quotas": the template body in a request.
INLINE_LIMIT = 51_200


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_it_writes_the_template_into_build_and_prints_the_path(tmp_path: Path) -> None:
    done = run(cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "build/webtier.json\n", "")
    assert (tmp_path / "build" / "webtier.json").read_bytes() == GOLDEN.read_bytes(), (
        "the template changed; if that is meant, renew the golden one: "
        "python webtier/build.py --output tests/unit/webtier/golden"
    )
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["webtier.json"]


def test_the_options_reach_the_template(tmp_path: Path) -> None:
    done = run("--zones", "3", "--vpc-cidr", "10.8.0.0/18", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    resources = json.loads((tmp_path / "out" / "webtier.json").read_text())["Resources"]
    assert resources["Vpc"]["Properties"]["CidrBlock"] == "10.8.0.0/18"
    assert "NatGatewayC" in resources


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--zones", "4"), "zones: 4 is not 2 or 3"),
        (("--vpc-cidr", "10.0.0.0/8"), "10.0.0.0/8 is not between /16 and /22; try 10.0.0.0/16"),
        (("--vpc-cidr", "8.8.0.0/16"), "8.8.0.0/16 is not private"),
        (("--vpc-cidr", "10.0.0.1/16"), "invalid IPv4Network value: '10.0.0.1/16'"),
        (("--zone", "x"), "invalid int value: 'x'"),
    ],
)
def test_a_bad_option_is_named_and_nothing_is_written(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("--output", "file", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "python webtier/build.py: cannot write to file: File exists\n"


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
    document = (Path(__file__).parents[3] / "docs" / "webtier.md").read_text(encoding="utf-8")
    assert listed == set(re.findall(r"`(--[a-z-]+)`", document))


def test_options_refuse_what_the_command_line_refuses() -> None:
    with pytest.raises(ValueError, match="zones: 1 is not 2 or 3"):
        Options(zones=1)
    with pytest.raises(ValueError, match="not private"):
        Options(vpc_cidr=IPv4Network("172.32.0.0/16"))


def test_it_fits_into_one_request(body: dict[str, object]) -> None:
    assert len(json.dumps(body, separators=(",", ":")).encode()) < INLINE_LIMIT


def test_the_same_options_give_the_same_bytes(options: Options) -> None:
    assert build.template(options).to_json() == build.template(options).to_json()
