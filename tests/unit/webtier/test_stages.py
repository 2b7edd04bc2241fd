from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from webtier import artifact, artifact_source, build

ROOT = Path(__file__).parents[3]
STAGES = tomllib.loads((ROOT / "webtier" / "stages.toml").read_text(encoding="utf-8"))


def test_the_stages_are_those_of_the_project() -> None:
    assert list(STAGES) == ["local", "dev", "prod"]
    assert all(stage.keys() <= {"artifact", "parameters"} for stage in STAGES.values())


def test_every_target_of_the_artifact_is_one() -> None:
    for stage in STAGES.values():
        assert set(stage.get("artifact", {}).get("targets", [])) <= set(artifact.TARGETS)


@pytest.mark.parametrize("stage", STAGES)
def test_every_value_is_one_the_template_accepts(stage: str, body: dict[str, Any]) -> None:
    for name, value in STAGES[stage]["parameters"].items():
        assert isinstance(value, str), name
        parameter = body["Parameters"][name]
        assert value in parameter.get("AllowedValues", [value]), name
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value), name
        if parameter["Type"] == "Number":
            assert int(value) >= parameter["MinValue"], name


@pytest.mark.parametrize("stage", STAGES)
def test_the_group_can_grow_beyond_its_minimum(stage: str, body: dict[str, Any]) -> None:
    """AWS::AutoScaling::AutoScalingGroup UpdatePolicy: MinInstancesInService is below MaxSize."""

    def value(name: str) -> int:
        default = body["Parameters"][name]["Default"]
        return int(STAGES[stage]["parameters"].get(name, default))

    assert value("MinCapacity") < value("MaxCapacity")


def test_only_the_local_stage_may_serve_plain_http() -> None:
    allowing = {
        name for name, stage in STAGES.items() if stage["parameters"].get("AllowHttp") == "true"
    }
    assert allowing == {"local"}


def test_without_a_certificate_plain_http_must_be_asked_for(body: dict[str, Any]) -> None:
    parameters = body["Parameters"]
    assert parameters["CertificateArn"]["Default"] == ""
    assert parameters["AllowHttp"]["Default"] == "false"
    (assertion,) = body["Rules"]["EncryptedUnlessAllowed"]["Assertions"]
    assert assertion["Assert"] == {
        "Fn::Or": [
            {"Fn::Not": [{"Fn::Equals": [{"Ref": "CertificateArn"}, ""]}]},
            {"Fn::Equals": [{"Ref": "AllowHttp"}, "true"]},
        ]
    }


def test_every_parameter_is_documented_with_its_default(body: dict[str, Any]) -> None:
    document = (ROOT / "docs" / "webtier.md").read_text(encoding="utf-8")
    for name, parameter in body["Parameters"].items():
        default = parameter.get("Default")
        shown = {None: "required", "": "none"}.get(default, f"`{default}`")
        assert f"| `{name}` | {shown} |" in document


def test_only_what_the_deployment_gives_has_no_default(body: dict[str, Any]) -> None:
    required = {name for name, given in body["Parameters"].items() if "Default" not in given}
    assert required == {parameter.title for parameter in artifact_source.PARAMETERS}


def test_every_parameter_has_a_place_in_the_console(body: dict[str, Any]) -> None:
    groups = body["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(body["Parameters"])


def test_the_template_describes_itself() -> None:
    assert "over 3 zones" in build.template(build.Options(zones=3)).to_dict()["Description"]
