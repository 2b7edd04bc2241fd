from __future__ import annotations

import json
import sys

import pytest

from benchmarks import cli, images, peers
from benchmarks.ratios import Ratio, Result, alternate, ratio


def test_ratios_are_paired_by_round():
    # Both halve from the first round to the second: the ratio stays.
    assert ratio([4.0, 2.0, 3.0], [8.0, 4.0, 4.0], goal=0.6) == Ratio(0.5, 0.5, 0.75, 0.6)


def test_a_goal_is_met_up_to_its_value():
    assert Ratio(1.0, 0.9, 1.2, 1.0).met
    assert not Ratio(1.01, 0.9, 1.2, 1.0).met


def test_rounds_alternate_and_the_warm_up_does_not_count():
    calls: list[str] = []

    def call(who: str) -> float:
        calls.append(who)
        return float(len(calls))

    ours, sharp = alternate(lambda: call("a"), lambda: call("b"), rounds=3, warm_up=1)

    assert "".join(calls) == "baabbaab"
    assert (ours, sharp) == ([3.0, 6.0, 7.0], [4.0, 5.0, 8.0])


def test_the_document_has_the_promised_members():
    result = Result("images", {"label": Ratio(0.7, 0.6, 0.8, 1.0)})
    assert result.document() == {
        "name": "images",
        "ratios": {"label": {"median": 0.7, "low": 0.6, "high": 0.8, "goal": 1.0}},
    }


@pytest.mark.parametrize("flag", [[], ["--json"]])
def test_without_any_peer_one_line_says_so(flag, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pyvips", None)
    assert cli.main([images.NAME, *flag]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "node is not installed" in out
    assert "pyvips is not installed" in out
    assert not flag or json.loads(out)["ratios"] == {}


def test_a_failed_installation_is_one_line(monkeypatch, tmp_path):
    (tmp_path / "package.json").write_text('{"dependencies": {"sharp": "0.0.0"}}')
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho first >&2\necho 'npm error network' >&2\nexit 1\n")
    program.chmod(0o755)
    (program.parent / "node").symlink_to(program)
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    with pytest.raises(peers.PeerMissing, match="npm ci failed: npm error network"):
        peers.sharp()


@pytest.mark.parametrize("arguments", [["nothing"], ["--rounds", "0"], ["--rounds", "x"]])
def test_a_wrong_argument_is_a_usage_error(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    assert "usage: python -m benchmarks" in capsys.readouterr().err
