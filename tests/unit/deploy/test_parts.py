import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from troposphere import Output, Parameter, Ref, Template
from troposphere.sqs import Queue

from deploy import parts
from deploy.account import Place
from deploy.errors import SettingsError
from deploy.parts import PARTS, Part, StackSource


class TwoStacks:
    """A part's module with a first stack, and a second one that takes an output of the first."""

    INPUTS: ClassVar = {"QueueName": "Name"}

    @staticmethod
    def first() -> Template:
        template = Template()
        template.add_parameter(Parameter("Zones", Type="Number"))
        template.add_parameter(Parameter("Open", Type="String", Default="false"))
        template.add_parameter(Parameter("Emails", Type="CommaDelimitedList", Default=""))
        template.add_resource(Queue("Queue"))
        template.add_output(Output("Name", Value=Ref("Queue")))
        return template

    @staticmethod
    def second() -> Template:
        template = Template()
        template.add_parameter(Parameter("QueueName", Type="String"))
        template.add_resource(Queue("Copy", QueueName=Ref("QueueName")))
        return template


PART = Part(
    "shop",
    "shop.build",
    (
        StackSource(
            "shop",
            lambda module, _stage, _settings: module.first(),
            table="first",
            profile=lambda settings: settings.get("profile", "monitoring"),
        ),
        StackSource(
            "shop-copy",
            lambda module, _stage, _settings: module.second(),
            table="second",
            inputs=lambda module: module.INPUTS,
        ),
    ),
)
SETTINGS = """
[dev.parameters.first]
Zones = 3
Open = true
Emails = ["a@b.example", "c@d.example"]

[prod]
profile = "watch"
parameters.first.Zones = 2
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    return tmp_path


def planned(root: Path, stage: str, settings: str = SETTINGS) -> tuple[parts.PlannedStack, ...]:
    path = root / "shop" / "stages.toml"
    path.write_text(settings)
    return parts.stacks(PART, TwoStacks, stage, parts.stage_settings(path, stage))


def test_stacks_are_named_after_the_stage_and_tagged(root: Path) -> None:
    first, second = planned(root, "dev")

    assert (first.template.stack, second.template.stack) == ("shop-dev", "shop-copy-dev")
    assert first.template.tags == {
        "Project": "aws-architectures",
        "Part": "shop",
        "Stage": "dev",
    }


def test_settings_become_parameters_as_cloudformation_writes_them(root: Path) -> None:
    first, _ = planned(root, "dev")

    assert first.template.parameters == {
        "Zones": "3",
        "Open": "true",
        "Emails": "a@b.example,c@d.example",
    }


@pytest.mark.parametrize(("stage", "profile"), [("dev", "monitoring"), ("prod", "watch")])
def test_a_stack_in_another_account_has_a_profile(root: Path, stage: str, profile: str) -> None:
    first, second = planned(root, stage)

    assert (first.profile, second.profile) == (profile, None)


def test_inputs_are_outputs_of_the_stack_before(root: Path) -> None:
    _, second = planned(root, "dev")

    assert second.with_inputs({"Name": "q", "More": "x"}).parameters == {"QueueName": "q"}
    with pytest.raises(SettingsError, match="shop-copy-dev needs the output Name"):
        second.with_inputs({"More": "x"})


def test_a_wrong_setting_of_a_later_stack_is_found_before_anything_is_sent(root: Path) -> None:
    with pytest.raises(SettingsError, match="shop-copy-dev has no parameter QueName"):
        planned(root, "dev", SETTINGS + '[dev.parameters.second]\nQueName = "x"\n')


def test_a_stage_without_settings_uses_the_defaults_of_the_template(root: Path) -> None:
    with pytest.raises(SettingsError, match="shop-local needs a value for Zones"):
        planned(root, "local")


def test_a_part_without_stages_toml_has_no_settings(root: Path) -> None:
    assert parts.stage_settings(root / "shop" / "stages.toml", "dev") == {}


def test_a_broken_stages_toml_is_named(root: Path) -> None:
    with pytest.raises(SettingsError, match=r"stages\.toml is not TOML: "):
        planned(root, "dev", "[dev")


def test_a_part_that_cannot_make_its_template_is_told_in_one_line(root: Path) -> None:
    def refuse(_module: Any, stage: str, _settings: object) -> Template:
        raise ValueError(f"{stage} is too long a name")

    part = Part("shop", "shop.build", (StackSource("shop", refuse),))

    with pytest.raises(SettingsError, match=r"^shop at the stage dev: dev is too"):
        parts.stacks(part, TwoStacks, "dev", {})


def test_what_is_only_deleted_needs_no_values_and_no_artifacts() -> None:
    def refuse(_module: Any, _settings: parts.Settings) -> parts.Artifacts:
        raise AssertionError("nothing is to be built")

    first = replace(PART.stacks[0], artifacts=refuse)
    part = replace(PART, stacks=(first,))
    (stack,) = parts.stacks(part, TwoStacks, "local", {}, to_delete=True)
    assert (stack.template.stack, stack.artifacts) == ("shop-local", {})


def test_the_parameters_of_the_web_tier_name_its_artifact() -> None:
    made = SimpleNamespace(key="k", sha256="s", content=b"c")
    module = SimpleNamespace(
        application=lambda settings, look: made if settings == {"a": 1} and callable(look) else None
    )
    artifacts = PARTS["webtier"].stacks[0].artifacts(module, {"a": 1})
    assert artifacts.files == {"k": b"c"}
    assert artifacts.parameters == {"ArtifactKey": "k", "ArtifactSha256": "s"}


def test_a_root_without_the_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"resources\.py is missing: --root is the folder"):
        parts.load(parts.PARTS["crud_api"], tmp_path)


def test_a_module_that_is_not_installed_is_named_with_the_fix(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [*sys.path])
    (root / "shop" / "build.py").write_text("import nowhere_to_be_found\n")

    with pytest.raises(SettingsError, match=r"module nowhere_to_be_found, .*: run `make setup`"):
        parts.load(PART, root)


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (3, "3"), ("", ""), (["a", 1, True], "a,1,true")],
)
def test_a_parameter_is_text(value: Any, text: str) -> None:
    assert parts.parameter(value) == text


def test_a_stage_names_its_account_and_region(root: Path) -> None:
    settings = SETTINGS.replace("[prod]", '[prod]\naccount = "111111111111"\nregion = "eu-west-1"')

    assert planned(root, "dev", settings)[0].place == Place()
    assert planned(root, "prod", settings)[0].place == Place("111111111111", "eu-west-1")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('account = "1234"', "account = '1234' in stages.toml is not the 12 digits of an account"),
        ("account = 111111111111", "account = 111111111111 in stages.toml is not .* as a string"),
        ('region = "Ireland"', "region = 'Ireland' in stages.toml is not an AWS region"),
    ],
)
def test_a_wrong_account_or_region_is_named(root: Path, setting: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        planned(root, "prod", SETTINGS.replace("[prod]", f"[prod]\n{setting}"))


def test_a_table_of_its_own_is_a_stage(root: Path) -> None:
    planned(root, "dev", f"{SETTINGS}\n[prod-eu]\n")
    path = root / "shop" / "stages.toml"

    assert parts.stage_names(path) == ("local", "dev", "prod", "prod-eu")
    path.unlink()
    assert parts.stage_names(path) == ("local", "dev", "prod")
