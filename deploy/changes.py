"""A change set in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Replacing one of these loses or strands what it holds, so the plan says it loudly.
DATA_TYPES = frozenset(
    {
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::EC2::Volume",
        "AWS::EFS::FileSystem",
        "AWS::KMS::Key",
        "AWS::Logs::LogGroup",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    }
)
_VERBS = {"Add": "add", "Modify": "modify", "Remove": "remove", "Import": "import"}
_KEPT = {"Retain": "it stays in the account", "Snapshot": "after a snapshot"}


@dataclass(frozen=True)
class Change:
    """One ResourceChange of DescribeChangeSet (AWS CloudFormation API Reference).

    `replacement` is "True", "False", "Conditional" or empty. `policy` is the PolicyAction, such
    as "Retain" or "ReplaceAndRetain". `properties` are the attributes or properties that change.
    """

    action: str
    logical_id: str
    resource_type: str
    replacement: str = ""
    policy: str = ""
    properties: tuple[str, ...] = ()

    @classmethod
    def from_response(cls, change: Mapping[str, Any]) -> "Change":
        """Read one element of Changes as boto3 returns it."""
        resource = change["ResourceChange"]
        targets = [detail.get("Target", {}) for detail in resource.get("Details", ())]
        return cls(
            action=resource["Action"],
            logical_id=resource["LogicalResourceId"],
            resource_type=resource["ResourceType"],
            replacement=resource.get("Replacement", ""),
            policy=resource.get("PolicyAction", ""),
            properties=_unique(target.get("Name") or target.get("Attribute") for target in targets),
        )

    @property
    def replaces(self) -> bool:
        """Whether the change makes, or may make, a new resource in place of this one."""
        return self.replacement in {"True", "Conditional"}

    @property
    def matters(self) -> bool:
        """Whether to look twice: data is endangered, or something that exists is taken in."""
        return self.endangers_data or self.action == "Import"

    @property
    def endangers_data(self) -> bool:
        """Whether data is left behind or lost: a replaced or removed resource that holds some."""
        return self.resource_type in DATA_TYPES and (self.replaces or self.action == "Remove")

    def __str__(self) -> str:
        verb = _VERBS.get(self.action, self.action.lower())
        if self.replaces:
            verb = "replace" if self.replacement == "True" else "perhaps replace"
        text = f"{verb}  {self.resource_type}  {self.logical_id}"
        if self.properties:
            text += f" ({', '.join(self.properties)})"
        if self.action == "Import":
            text += ": it is in the account already"
        if kept := _KEPT.get(self.policy.removeprefix("ReplaceAnd")):
            text += f": {kept}"
        if self.endangers_data:
            text = (
                f"{text}  !! HOLDS DATA: the new resource starts empty"
                if self.replaces
                else (f"{text}  !! HOLDS DATA")
            )
        return text


def additions(template: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return what a new stack of this template adds, as a plan for a stack that cannot be asked."""
    return tuple(
        Change("Add", logical_id, resource["Type"])
        for logical_id, resource in sorted(template["Resources"].items())
    )


def _unique(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
