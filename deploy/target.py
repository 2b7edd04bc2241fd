"""A part at a stage: what a command works on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import packaged, parts
from deploy.account import Account
from deploy.gateway import GatewaySettings
from deploy.parts import Part, PlannedStack
from deploy.stack import Stack


@dataclass(frozen=True)
class Target:
    """A part at a stage, with the module that makes its templates and its stacks in order.

    `settings` is the stage's table of stages.toml, `gateway` the module of the same name and
    `per_operation` the module that packages the functions; each is None where the part has none.
    """

    part: Part
    stage: str
    directory: Path
    module: Any
    stacks: tuple[PlannedStack, ...]
    settings: parts.Settings
    gateway: Any = None
    per_operation: Any = None

    @classmethod
    def of(
        cls,
        part: Part,
        stage: str,
        root: Path,
        *,
        application: Path | None = None,
        to_delete: bool = False,
    ) -> "Target":
        """Read the part's modules and settings in the folder `root`.

        `application` is the artifact that the part's instances are to run instead of the project's
        own. With `to_delete` no artifact is made.

        Raises SettingsError: one is wrong or missing, so that nothing is sent.
        """
        module = parts.load(part, root)
        settings = parts.stage_settings(root / part.name / "stages.toml", stage)
        if application:
            settings = {**settings, parts.APPLICATION: application}
        GatewaySettings.of(settings.get("gateway", {}))
        return cls(
            part,
            stage,
            root / part.name,
            module,
            parts.stacks(part, module, stage, settings, to_delete=to_delete),
            settings,
            parts.load_if_there(part, root, part.gateway),
            parts.load_if_there(part, root, part.per_operation),
        )

    def accounts(self) -> dict[str | None, Account]:
        """Return the accounts by AWS profile, None for the default credentials, the workload's.

        Raises SettingsError: one is not the account or region that the stage names.
        """
        profiles = {None, *(planned.profile for planned in self.stacks)}
        accounts = {profile: Account.of(profile) for profile in profiles}
        for planned in self.stacks:
            accounts[planned.profile].refuse_unless_at(planned.place)
        return accounts

    @property
    def name(self) -> str:
        """The name of the part's resources at the stage, which its first stack has."""
        return self.stacks[0].template.stack

    @property
    def functions_stack_name(self) -> str:
        """The name of the stack of a deployment with a function per operation."""
        return f"{self.name.removesuffix(self.stage)}functions-{self.stage}"

    @property
    def app_name(self) -> str:
        """Chalice's name of the app, which the names of its functions and roles begin with."""
        name: str = packaged.stage_config(self.directory, self.stage)["app_name"]
        return name

    @property
    def gateway_settings(self) -> GatewaySettings:
        """The table `gateway` of the stage."""
        return GatewaySettings.of(self.settings.get("gateway", {}))

    def functions_stack(self, account: Account) -> Stack:
        """Return the stack of a deployment with a function per operation."""
        return Stack(account.client("cloudformation"), self.functions_stack_name)

    def has_function_per_operation(self, account: Account) -> bool:
        """Whether the account has the stage as a stack with a function per operation."""
        return self.per_operation is not None and self.functions_stack(account).status() is not None
