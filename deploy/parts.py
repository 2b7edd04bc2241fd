"""What each part is made of: its stacks, in the order they are deployed, and its app."""

import importlib
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deploy.account import Place
from deploy.errors import SettingsError
from deploy.template import StackTemplate

PROJECT = "aws-architectures"
STAGES = ("local", "dev", "prod")
"""The stages that every part has; stages.toml may add others."""

ARTIFACT_BUCKET = "ArtifactBucket"
"""The parameter of a stack with artifacts that names the bucket they are in."""

APPLICATION = "application"
"""The setting that holds the path of an artifact of the user's own."""

# A stage's table in stages.toml: parameters, and for monitoring the profile.
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Artifacts:
    """The files of a stack that are fetched from S3, by key, and the parameters that name them."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StackSource:
    """Where one stack of a part comes from.

    `name` is the stack's name without the stage. `template` makes the document from the part's
    module, the stage and its settings. `table` names the table of parameters below
    `<stage>.parameters`, where a part has more than one stack. `inputs` gives the parameters that
    are outputs of the stack before. `profile` gives the AWS profile of the stack's account; the
    default credentials are the workload's. `account` is the setting that names its account.
    `after_app` says that the stack names functions, which have to be there before it. `artifacts`
    makes, of the module and the stage's settings, the files that CloudFormation or an instance
    fetches.
    """

    name: str
    template: Callable[[Any, str, Settings], Any]
    table: str | None = None
    inputs: Callable[[Any], Mapping[str, str]] = lambda _module: {}
    profile: Callable[[Settings], str | None] = lambda _settings: None
    account: str = "account"
    artifacts: Callable[[Any, Settings], Artifacts] = lambda _module, _settings: Artifacts()
    after_app: bool = False


@dataclass(frozen=True)
class Part:
    """A part of the project.

    `module` makes the templates of `stacks`, and raises one of `errors` where it cannot. `chalice`
    says whether the part is a Chalice app. `gateway` is the module with what it sets at API Gateway
    beyond Chalice, `per_operation` the one that packages a function for each operation.
    `takes_application` says that an artifact of the user's own can be deployed.
    """

    name: str
    module: str
    stacks: tuple[StackSource, ...]
    chalice: bool = False
    gateway: str | None = None
    per_operation: str | None = None
    takes_application: bool = False
    errors: Callable[[Any], tuple[type[Exception], ...]] = lambda _module: (ValueError,)


@dataclass(frozen=True)
class PlannedStack:
    """A stack of one stage, ready but for the parameters that come from the stack before.

    `place` is where it has to go. `inputs` maps such a parameter to the output it takes its value
    from. `artifacts` has to be in the bucket before.
    """

    template: StackTemplate
    profile: str | None
    place: Place
    inputs: Mapping[str, str]
    artifacts: Mapping[str, bytes]
    after_app: bool = False

    @property
    def needs_bucket(self) -> bool:
        """Whether CloudFormation fetches something of it from S3."""
        return bool(self.artifacts) or not self.template.fits_a_request

    def with_inputs(self, outputs: Mapping[str, str]) -> StackTemplate:
        """Return the template with its inputs taken from the outputs of the stack before.

        Raises SettingsError: an output is missing.
        """
        if missing := sorted(set(self.inputs.values()) - outputs.keys()):
            raise SettingsError(
                f"{self.template.stack} needs the output {', '.join(missing)} of the stack before"
            )
        values = {parameter: outputs[output] for parameter, output in self.inputs.items()}
        return replace(self.template, parameters={**self.template.parameters, **values})


PARTS: Mapping[str, Part] = {
    part.name: part
    for part in (
        Part(
            "image_api",
            "image_api.resources",
            (
                StackSource("image-api", lambda module, _stage, _settings: module.template()),
                StackSource(
                    "image-api-operations",
                    lambda module, _stage, _settings: module.operations(),
                    table="operations",
                    inputs=lambda module: {name: name for name in module.OPERATIONS_INPUTS},
                    after_app=True,
                ),
            ),
            chalice=True,
            gateway="image_api.gateway",
        ),
        Part(
            "crud_api",
            "crud_api.resources",
            (StackSource("crud-api", lambda module, _stage, _settings: module.template()),),
            chalice=True,
            gateway="crud_api.gateway",
            per_operation="crud_api.per_operation",
        ),
        Part(
            "webtier",
            "webtier.build",
            (
                StackSource(
                    "webtier",
                    lambda module, _stage, settings: module.template(
                        module.Options.from_table(settings.get("options", {}))
                    ),
                    artifacts=lambda module, settings: _application(module, settings),
                ),
            ),
            takes_application=True,
        ),
        Part(
            "monitoring",
            "monitoring.build",
            (
                StackSource(
                    "monitoring",
                    lambda module, stage, _settings: module.templates(stage)["monitoring"],
                    table="monitoring",
                    profile=lambda settings: settings.get("monitoring_profile", "monitoring"),
                    account="monitoring_account",
                    artifacts=lambda module, _settings: Artifacts(module.artifacts()),
                ),
                StackSource(
                    "monitoring-workload",
                    lambda module, stage, _settings: module.templates(stage)["workload"],
                    table="workload",
                    inputs=lambda module: module.WORKLOAD_PARAMETERS_FROM_MONITORING,
                ),
            ),
            errors=lambda module: (ValueError, module.inventory.InventoryError),
        ),
    )
}


def _application(module: Any, settings: Settings) -> Artifacts:
    """What the web tier's instances run: the user's own file, or the project's own application."""
    # It takes a moment to import, which is for this part alone.
    from deploy.instances import Packages

    made = module.application(settings, look=Packages().look)
    return Artifacts(
        {made.key: made.content}, {"ArtifactKey": made.key, "ArtifactSha256": made.sha256}
    )


def load(part: Part, root: Path, name: str | None = None) -> Any:
    """Import a module of the part, by default the one of its templates, from the folder `root`.

    Raises SettingsError: `root` has no such part, another folder on the path hides it, or it needs
    a module that is not installed.
    """
    name = name or part.module
    path = root.joinpath(*name.split(".")).with_suffix(".py")
    if not path.is_file():
        raise SettingsError(f"{path} is missing: --root is the folder that holds {part.name}/")
    sys.path.insert(0, str(root))
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{part.name} needs the Python module {error.name}, which is missing: run `make setup`"
        ) from error
    # A package with an __init__.py comes before one without, wherever the two are on the path.
    if not path.samefile(str(module.__file__)):
        raise SettingsError(
            f"{name} was imported from {module.__file__}, not from {path}: "
            f"is {part.name}/__init__.py missing there?"
        )
    return module


def load_if_there(part: Part, root: Path, name: str | None) -> Any:
    """Import a module that a copy of the part may lack; None where it does, or `name` is None."""
    if name is None or not root.joinpath(*name.split(".")).with_suffix(".py").is_file():
        return None
    return load(part, root, name)


def stacks(
    part: Part, module: Any, stage: str, settings: Settings, *, to_delete: bool = False
) -> tuple[PlannedStack, ...]:
    """Build the part's stacks for the stage, in the order they are deployed.

    What is only deleted gets no artifacts, and its parameters need no values. Raises SettingsError:
    the stage's settings do not fit a template, or the part cannot make one.
    """
    return tuple(
        _planned(part, source, module, settings, stage, to_delete=to_delete)
        for source in part.stacks
    )


def stage_settings(path: Path, stage: str) -> Settings:
    """Return the stage's table of a stages.toml; a part without the file has no settings.

    Raises SettingsError: the file is not TOML.
    """
    settings: Settings = _tables(path).get(stage, {})
    return settings


def stage_names(path: Path) -> tuple[str, ...]:
    """Return the stages a part has: the usual ones, and the other tables of its stages.toml.

    Raises SettingsError: the file is not TOML.
    """
    return tuple(dict.fromkeys([*STAGES, *_tables(path)]))


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from error


def place(settings: Settings, account: str = "account") -> Place:
    """Return where a stage belongs; `account` is the setting that names its account.

    Raises SettingsError: what it names is no account or no region.
    """
    for setting, pattern in ((account, r"\d{12}"), ("region", r"[a-z]{2}(-[a-z]+)+-\d")):
        value = settings.get(setting)
        if value is not None and not (isinstance(value, str) and re.fullmatch(pattern, value)):
            kind = "the 12 digits of an account" if setting == account else "an AWS region"
            raise SettingsError(f"{setting} = {value!r} in stages.toml is not {kind} as a string")
    return Place(settings.get(account), settings.get("region"), account)


def parameter(value: object) -> str:
    """Return a TOML value as CloudFormation writes it: true or false, lists with commas."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(parameter(item) for item in value)
        case _:
            return str(value)


def _planned(
    part: Part,
    source: StackSource,
    module: Any,
    settings: Settings,
    stage: str,
    *,
    to_delete: bool,
) -> PlannedStack:
    table = settings.get("parameters", {})
    if source.table is not None:
        table = table.get(source.table, {})
    inputs = dict(source.inputs(module))
    try:
        artifacts = source.artifacts(module, settings) if not to_delete else Artifacts()
        document = source.template(module, stage, settings).to_dict()
    except part.errors(module) as error:
        raise SettingsError(f"{part.name} at the stage {stage}: {error}") from error
    if artifacts.files:
        inputs[ARTIFACT_BUCKET] = ARTIFACT_BUCKET
    # The inputs are not known yet; with a stand-in the names are checked before anything is sent.
    values = {
        **{name: parameter(value) for name, value in table.items()},
        **artifacts.parameters,
        **dict.fromkeys(inputs, ""),
    }
    if to_delete:
        values = dict.fromkeys(document.get("Parameters", {}), "") | values
    return PlannedStack(
        StackTemplate(
            stack=f"{source.name}-{stage}",
            document=document,
            parameters=values,
            tags={"Project": PROJECT, "Part": part.name, "Stage": stage},
        ),
        source.profile(settings),
        place(settings, source.account),
        inputs,
        artifacts.files,
        source.after_app,
    )
