"""The command, its text, JSON and drawings; and the documentation that is made of them."""

from __future__ import annotations

import json
import re

import pytest

from tests.unit.webtier.drill.changes import with_property
from webtier.drill import assumptions, cli, page, promises
from webtier.drill.drills import DRILLS


@pytest.fixture
def written(tmp_path, default):
    def write(body=default):
        path = tmp_path / "webtier.json"
        path.write_text(json.dumps(body))
        return str(path)

    return write


def test_it_tells_what_happens_and_that_promises_hold(written, capsys) -> None:
    assert cli.main(["lose-instance", "--template", written()]) == 0
    shown = capsys.readouterr().out
    assert "+0:35  i-1 is unhealthy: it gets no more requests" in shown
    assert "✔ An instance that hangs costs at most 1 minute with errors. [1 minute]" in shown
    assert "AlertEmail=operations@example.com" in shown
    assert shown.endswith("2 of 2 promises hold\n")


def test_a_broken_promise_fails_with_its_reason(written, default, capsys) -> None:
    body = with_property(default, "Group", "HealthCheckType", "EC2")
    assert cli.main(["lose-instance", "--template", written(body)]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        "✘ instance-capacity: Group.HealthCheckType is EC2, which does not ask the application: "
        "set it to ELB"
    )


def test_json_has_everything(written, capsys) -> None:
    arguments = ["lose-zone", "--template", written(), "--json", "--parameter", "AlertEmail="]
    assert cli.main(arguments) == 1
    document = json.loads(capsys.readouterr().out)
    (found,) = document["drills"]
    told = next(one for one in found["promises"] if one["name"] == "zone-told")
    assert (told["measured"], told["holds"]) == (None, False)
    assert told["reason"].startswith("Alerts has no subscription")
    for minute in found["minutes"]:
        failed = minute["unreachable"] + minute["balancer"] + minute["application"]
        assert minute["served"] + failed == pytest.approx(minute["offered"], abs=0.01)
    assert document["parameters"]["AlertEmail"] == ""


def test_stages_assumptions_and_promises_can_be_given(written, tmp_path, capsys) -> None:
    own = tmp_path / "promises.toml"
    own.write_text(
        "[quick]\ndrill='lose-instance'\nmeasure='minutes-to-capacity'\nat_most=1\nsays='{limit}'"
    )
    arguments = ["lose-instance", "--template", written(), "--promises", str(own)]
    assert cli.main([*arguments, "--stage", "prod"]) == 1
    assert "InstanceType=m7g.large" in capsys.readouterr().out
    quick = ["--assume", "boot_seconds=0", "--assume", "launch_seconds=0"]
    assert cli.main([*arguments, *quick, "--assume", "replacement_seconds=10"]) == 0


def test_drawings_are_the_same_every_time(written, tmp_path, capsys) -> None:
    for folder in ("one", "two"):
        assert (
            cli.main(["fill-disk", "--template", written(), "--plot", str(tmp_path / folder)]) == 0
        )
    one, two = (tmp_path / name / "fill-disk.svg" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert str(one) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lose-everything"], "lose-everything is no drill: choose from ordinary-hour, lose-zone"),
        (["lose-spot"], "lose-spot: this template has nothing of the kind to lose"),
        (["--assume", "luck=1"], "luck=1: give NAME=VALUE, a NAME of requests_per_vcpu"),
        (["--assume", "boot_seconds=soon"], "boot_seconds: 'soon' is no number"),
        (["--assume", "load_share=2"], "load_share: 2 is not from 0 to 1"),
        (["--assume", "requests_per_vcpu=0"], "requests_per_vcpu: must be more than 0"),
        (["--parameter", "MinCapacity"], "--parameter MinCapacity: give NAME=VALUE"),
        (["--parameter", "Colour=red"], "parameter Colour: the template has none of that name"),
        (["--stage", "moon"], "stage moon is none of local, dev, prod"),
        (["--parameter", "MinCapacity=two"], "parameter MinCapacity: 'two' is no number"),
        (["--plot", "Makefile"], "Makefile: not a directory"),
        (["--promises", "/nowhere"], "/nowhere: No such file or directory"),
        (["--template", "/nowhere"], "/nowhere: No such file or directory"),
        (["--template", "Makefile"], "Makefile is no JSON"),
        (["--template", "pyproject.toml"], "pyproject.toml is no JSON"),
    ],
)
def test_wrong_usage_is_named(arguments, message, capsys, monkeypatch) -> None:
    monkeypatch.chdir(page.DOCS.parent)
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("python -m webtier.drill: ")
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert not shown.out


def test_help_and_lists(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    assert "exit code: 0 every promise holds" in capsys.readouterr().out
    assert cli.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(DRILLS)
    assert cli.main(["--assumptions"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{name}=" in shown for name, *_ in assumptions.table())


def test_the_page_and_its_drawings_are_up_to_date() -> None:
    assert page.differences() == []


def test_the_page_has_every_promise_and_every_assumption() -> None:
    text = (page.DOCS / page.PAGE).read_text(encoding="utf-8")
    shown = set(re.findall(r"^\| `([a-z_-]+)` \|", text, re.MULTILINE))
    assert {name for name, *_ in assumptions.table()} <= shown
    always = {one.name for one in promises.load() if one.drill != "lose-spot"}
    assert always <= shown
