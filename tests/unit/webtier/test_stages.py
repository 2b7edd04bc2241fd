from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy import parts
from deploy.errors import SettingsError
from webtier import artifact, build
from webtier.options import Options

ROOT = Path(__file__).parents[3]
STAGES = tomllib.loads((ROOT / "webtier" / "stages.toml").read_text(encoding="utf-8"))
DOCUMENT = (ROOT / "docs" / "webtier.md").read_text(encoding="utf-8")


def options(stage: str) -> Options:
    return Options.from_table(STAGES[stage].get("options", {}))


def declared(stage: str) -> dict[str, Any]:
    parameters: dict[str, Any] = build.template(options(stage)).to_dict()["Parameters"]
    return parameters


def test_the_stages_are_those_of_the_project() -> None:
    assert list(STAGES) == ["local", "dev", "prod"]
    assert all(
        stage.keys() <= {"account", "artifact", "options", "parameters"}
        for stage in STAGES.values()
    )


def test_every_target_of_the_artifact_is_one() -> None:
    for stage in STAGES.values():
        assert set(stage.get("artifact", {}).get("targets", [])) <= set(artifact.TARGETS)


@pytest.mark.parametrize("stage", STAGES)
def test_every_value_is_one_the_template_accepts(stage: str) -> None:
    parameters = declared(stage)
    for name, value in STAGES[stage].get("parameters", {}).items():
        assert isinstance(value, str), name
        parameter = parameters[name]
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value), name
        if parameter["Type"] == "Number":
            assert int(value) >= parameter["MinValue"], name


@pytest.mark.parametrize("stage", STAGES)
def test_the_group_can_grow_beyond_its_minimum(stage: str) -> None:
    """AWS::AutoScaling::AutoScalingGroup UpdatePolicy: MinInstancesInService is below MaxSize."""
    parameters = declared(stage)

    def value(name: str) -> int:
        default = parameters[name]["Default"]
        return int(STAGES[stage].get("parameters", {}).get(name, default))

    assert value("MinCapacity") < value("MaxCapacity")


def test_only_the_local_stage_serves_plain_http_and_the_others_need_a_certificate() -> None:
    assert {stage for stage in STAGES if options(stage).plain_http} == {"local"}
    for stage in ("dev", "prod"):
        assert "Default" not in declared(stage)["CertificateArn"]


def test_production_promises_the_most() -> None:
    production = options("prod")
    assert production.zones == 3
    assert production.nat == "per-zone"
    assert production.firewall
    assert production.deletion_protection


def test_every_parameter_is_documented_with_its_default() -> None:
    every = [Options(), Options.from_table({"nat": "none"})]
    for chosen in every:
        for name, parameter in build.template(chosen).to_dict()["Parameters"].items():
            match parameter.get("Default"):
                case None:
                    shown = "needed"
                case "":
                    shown = "none"
                case default:
                    shown = f"`{default}`"
            assert f"| `{name}` | {shown} |" in DOCUMENT


def test_every_parameter_has_a_place_in_the_console(body: dict[str, Any]) -> None:
    groups = body["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(body["Parameters"])


def test_the_template_describes_itself() -> None:
    assert "over 3 zones" in build.template(Options(zones=3)).to_dict()["Description"]


def test_a_stage_with_an_option_that_is_none_is_told_in_one_line() -> None:
    part = parts.PARTS["webtier"]
    with pytest.raises(SettingsError, match="webtier at the stage dev: no option zone; the"):
        parts.stacks(part, build, "dev", {"options": {"zone": 2}}, to_delete=True)


def test_the_options_of_a_stage_reach_its_template() -> None:
    part = parts.PARTS["webtier"]
    (planned,) = parts.stacks(part, build, "dev", {"options": {"zones": 3}}, to_delete=True)
    assert "PublicSubnetC" in planned.template.document["Resources"]
