"""The commands, and the documentation that is made of the prices."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from webtier import build, subject
from webtier.costs import cli, page, prices

SCRIPT = Path(build.__file__)


def test_the_bill_adds_up_and_names_date_region_and_sources(capsys) -> None:
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    first, _, *rows = shown.splitlines()
    day = r"2026-\d\d-\d\d"
    dated = rf"US dollars a month \(730 hours\) in us-east-1, list prices of {day} to {day}"
    assert re.fullmatch(dated, first)
    fixed = [float(row.split()[0]) for row in rows[: rows.index("")]]
    assert sum(fixed[:-1]) == pytest.approx(fixed[-1])
    assert "together, before anything is used\n" in shown
    assert "   0.045  per GB: data through NAT gateways" in shown
    assert "    0.60  per million requests: requests that AWS WAF looks at" in shown
    assert "  taxes, discounts and free allowances\n" in shown
    assert "aws/AWSELB/20260831092255/us-east-1/index.json" in shown


def test_the_sum_says_where_it_is_less_than_the_bill(capsys) -> None:
    assert cli.main(["--parameter", "DatabaseClass=db.x9.large"]) == 0
    shown = capsys.readouterr().out
    assert "together, before anything is used, without what has no price: see below" in shown
    assert "  database db.x9.large with a standby: the table has no database/db.x9.large" in shown


def test_json_has_everything(capsys) -> None:
    assert cli.main(["--stage", "prod", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["region"] == "us-east-1"
    assert document["unknown"] == []
    cents = [round(float(line["usd"]) * 100) for line in document["fixed"]]
    assert sum(cents) == round(float(document["usd"]) * 100)
    (instances,) = (one for one in document["fixed"] if one["what"] == "instances m7g.large")
    assert (instances["count"], instances["price"], instances["per"]) == (4, "0.0816", "hour")
    assert instances["published"] == "2026-09-09"
    assert {"what": "requests to KMS", "usd": "0.000003", "per": "request"} in document["usage"]


def test_prices_can_be_ones_own(tmp_path, capsys) -> None:
    own = tmp_path / "own.toml"
    text = prices.FILE.read_text().replace('region = "us-east-1"', 'region = "eu-central-1"')
    own.write_text(text.replace("usd = 0.129", "usd = 0.150"))
    assert cli.main(["--prices", str(own)]) == 0
    shown = capsys.readouterr().out
    assert "in eu-central-1" in shown
    assert "    109.50  database db.t4g.medium" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--stage", "test"), "stage test is none of local, dev, prod"),
        (("--parameter", "MinCapacity"), "--parameter MinCapacity: give NAME=VALUE"),
        (("--parameter", "MinCapacity=x"), "parameter MinCapacity: 'x' is no number"),
        (("--template", "/nowhere.json"), "/nowhere.json: No such file or directory"),
        (("--template", str(SCRIPT)), "is no JSON"),
        (("--prices", str(SCRIPT)), "build.py: "),
    ],
)
def test_a_mistake_is_one_line(arguments, message, capsys) -> None:
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("python -m webtier.costs: ")
    assert message in shown.err
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[test", "stages.toml is not TOML: "),
        ("[test.options]\nzones = 4", "the stage's options in stages.toml: zones: 4 is not 2 or 3"),
    ],
)
def test_a_mistake_in_stages_toml_is_one_line(text, message, tmp_path, monkeypatch, capsys) -> None:
    stages = tmp_path / "stages.toml"
    stages.write_text(text)
    monkeypatch.setattr(subject, "STAGES", stages)
    assert cli.main(["--stage", "test"]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1


def test_the_builder_prints_it_below_the_path(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--nat", "one", "--costs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    path, blank, head, *rows = done.stdout.splitlines()
    assert (path, blank) == ("build/webtier.json", "")
    assert head.startswith("US dollars a month (730 hours) in us-east-1, ")
    assert any(re.match(r" +32\.85  NAT gateways +1 × 0\.045 per hour$", row) for row in rows)


def test_the_pages_are_made_of_the_prices() -> None:
    assert page.outdated() == [], "run `python -m webtier.costs.page`"


def test_every_option_that_may_have_a_cost_is_in_the_table() -> None:
    text = (page.DOCS / page.OPTIONS_PAGE).read_text(encoding="utf-8")
    _, _, table = text.partition(page.HEADER)
    table, _, _ = table.partition("\n\n")
    rows = {
        match[1].replace("-", "_"): match[0].split("|")[-2].strip()
        for match in re.finditer(r"^\| `--([a-z-]+)` .*$", table, re.MULTILINE)
    }
    costs = page.costs(prices.load())
    assert set(rows) - set(costs) == {"output", "costs", "vpc_cidr", "spot_types"}
    assert {name: rows[name] for name in costs} == costs
    assert rows["nat"] == "`one`: −36.60; `none`: +14.40"


def test_an_outdated_page_is_named(tmp_path, monkeypatch, capsys) -> None:
    for name in (page.PAGE, page.OPTIONS_PAGE):
        (tmp_path / name).write_bytes((page.DOCS / name).read_bytes())
    assert page.outdated(tmp_path) == []
    options = tmp_path / page.OPTIONS_PAGE
    options.write_text(options.read_text().replace("−36.60", "−30.00"))
    (tmp_path / page.PAGE).unlink()
    monkeypatch.setattr(page, "DOCS", tmp_path)
    assert page.outdated(tmp_path) == [page.PAGE, page.OPTIONS_PAGE]
    assert page.main([]) == 0
    assert page.outdated(tmp_path) == []
    capsys.readouterr()
