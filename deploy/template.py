"""A template and its settings, ready to be sent to CloudFormation."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from deploy.errors import SettingsError

# "CloudFormation quotas", AWS CloudFormation User Guide: template body in a request and in an
# object of S3, in bytes.
MAX_BODY = 51_200
MAX_OBJECT = 1_048_576

# "Acknowledging IAM resources in CloudFormation templates", AWS CloudFormation User Guide: the
# resources that need an acknowledgement, with the property that gives each a custom name.
_IAM_NAMES = {
    "AWS::IAM::AccessKey": None,
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": None,
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserToGroupAddition": None,
}
# What CloudFormation can take into a stack again, with the property that names it.
NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
}
_PSEUDO_PARAMETER = re.compile(r"\$\{(AWS::\w+)\}")


@dataclass(frozen=True)
class StackTemplate:
    """A template document with the parameters and tags of its stack.

    `url` is where it lies in S3, which it has to once it is longer than a request takes.

    Raises SettingsError: the compact JSON is too long, or the parameters do not fit the document.
    """

    stack: str
    document: Mapping[str, Any]
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    url: str = ""

    def __post_init__(self) -> None:
        size = len(self.body.encode())
        if size > MAX_OBJECT:
            raise SettingsError(
                f"the template of {self.stack} has {size:,} bytes; CloudFormation takes "
                f"{MAX_OBJECT:,}: make it smaller or split it into two stacks"
            )
        declared: Mapping[str, Any] = self.document.get("Parameters", {})
        if unknown := sorted(self.parameters.keys() - declared.keys()):
            raise SettingsError(
                f"{self.stack} has no parameter {', '.join(unknown)}; "
                f"its parameters are {', '.join(sorted(declared)) or 'none'}"
            )
        missing = sorted(
            name
            for name, parameter in declared.items()
            if "Default" not in parameter and name not in self.parameters
        )
        if missing:
            raise SettingsError(
                f"{self.stack} needs a value for {', '.join(missing)}: "
                "set it in the stage's table of the part's stages.toml"
            )

    @property
    def body(self) -> str:
        """The document as compact JSON."""
        return json.dumps(self.document, separators=(",", ":"))

    @property
    def fits_a_request(self) -> bool:
        """Whether the template can be sent; otherwise it has to lie in S3, at `url`."""
        return len(self.body.encode()) <= MAX_BODY

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The acknowledgement the template needs and no more: none, IAM or named IAM.

        A template with a transform also needs that what it becomes is not shown before.
        """
        expanded = ("CAPABILITY_AUTO_EXPAND",) if "Transform" in self.document else ()
        return self._iam_capabilities() + expanded

    def _iam_capabilities(self) -> tuple[str, ...]:
        needed: tuple[str, ...] = ()
        for resource in self.document["Resources"].values():
            if resource["Type"] not in _IAM_NAMES:
                continue
            name = _IAM_NAMES[resource["Type"]]
            if name is not None and name in resource.get("Properties", {}):
                return ("CAPABILITY_NAMED_IAM",)
            needed = ("CAPABILITY_IAM",)
        return needed

    def with_literal_names(self, account: str, region: str) -> "StackTemplate":
        """Return the template with the names of retained resources written out.

        CloudFormation takes a resource that exists already into a stack only where its name is a
        literal, not an intrinsic function ("Automatically import AWS resources", AWS
        CloudFormation User Guide). So a deleted stack that is deployed again gets its data back.
        """
        values = {
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::StackName": self.stack,
        }
        resources = {
            logical_id: _with_literal_name(resource, values)
            for logical_id, resource in self.document["Resources"].items()
        }
        return replace(self, document={**self.document, "Resources": resources})


def _with_literal_name(resource: Mapping[str, Any], values: Mapping[str, str]) -> Mapping[str, Any]:
    name = NAMES.get(resource["Type"])
    properties = resource.get("Properties", {})
    if name not in properties or resource.get("DeletionPolicy") != "Retain":
        return resource
    match properties[name]:
        case {"Fn::Sub": str(text)}:
            literal = _PSEUDO_PARAMETER.sub(lambda found: values.get(found[1], found[0]), text)
            if "${" not in literal:
                return {**resource, "Properties": {**properties, name: literal}}
    return resource
