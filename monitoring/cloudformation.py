"""The values of a template's properties, as CloudFormation would compute them before a deployment.

What only a deployment can tell, such as an ARN with a random part, stays a name in `${…}`; the
availability zones are the region's first six letters, and Base64 text stays readable. Source:
AWS CloudFormation Template Reference, "Intrinsic function reference".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NO_VALUE = object()
_VARIABLE = re.compile(r"\$\{([^}]+)\}")

# What Ref gives of a type: the property that names the resource.
_NAMES = {
    "AWS::ApiGateway::RestApi": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::CompositeAlarm": "AlarmName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::RDS::DBCluster": "DBClusterIdentifier",
    "AWS::RDS::DBInstance": "DBInstanceIdentifier",
    "AWS::SQS::Queue": "QueueName",
}
_PSEUDO = {"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}


@dataclass(frozen=True)
class Document:
    """A template with values for its parameters and pseudo parameters.

    `values` has parameters and pseudo parameters by name; a parameter that is not in it takes its
    default.
    """

    body: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)

    def resources(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Yield (logical id, type, resource) of everything whose condition holds."""
        for logical_id, resource in self.body["Resources"].items():
            condition = resource.get("Condition")
            if condition is None or self._holds({"Condition": condition}):
                yield logical_id, resource["Type"], resource

    def properties(self, logical_id: str) -> dict[str, Any]:
        """The properties of a resource, with every function evaluated."""
        found = self.value(self.body["Resources"][logical_id].get("Properties", {}))
        return dict(found)

    def value(self, value: Any) -> Any:
        """Evaluate the intrinsic functions in a value.

        Raises KeyError: it refers to a parameter without a value, or to nothing.
        """
        match value:
            case {"Ref": str(name)}:
                return self._ref(name)
            case {"Fn::GetAtt": target}:
                name, attribute = target if isinstance(target, list) else target.split(".", 1)
                return self._attribute(name, attribute)
            case {"Fn::Sub": text}:
                own: Mapping[str, Any] = {}
                if isinstance(text, list):
                    text, own = text
                return _VARIABLE.sub(lambda found: self._variable(found[1], own), text)
            case {"Fn::Join": [str(separator), parts]}:
                return separator.join(str(part) for part in self.value(parts))
            case {"Fn::Split": [str(separator), text]}:
                return str(self.value(text)).split(separator)
            case {"Fn::Select": [index, items]}:
                return self.value(items)[int(self.value(index))]
            case {"Fn::GetAZs": region}:
                return self._zones(str(self.value(region) or self._ref("AWS::Region")))
            case {"Fn::FindInMap": [mapping, top, second]}:
                rows = self.body["Mappings"][self.value(mapping)]
                return self.value(rows[self.value(top)][self.value(second)])
            case {"Fn::Base64": text}:
                return self.value(text)
            case {"Fn::If": [str(name), then, otherwise]}:
                return self.value(then if self._holds({"Condition": name}) else otherwise)
            case dict():
                pairs = ((key, self.value(item)) for key, item in value.items())
                return {key: item for key, item in pairs if item is not _NO_VALUE}
            case list():
                return [item for item in map(self.value, value) if item is not _NO_VALUE]
            case _:
                return value

    @staticmethod
    def _zones(region: str) -> list[str]:
        # No region has more than six.
        if region.startswith("${"):
            return [f"${{AvailabilityZone{number}}}" for number in range(1, 7)]
        return [f"{region}{letter}" for letter in "abcdef"]

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self.values:
            return self.values[name]
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name.startswith("AWS::"):
            return f"${{{name}}}"
        parameter = self.body.get("Parameters", {}).get(name)
        if parameter is not None:
            return parameter["Default"]
        resource = self.body["Resources"].get(name)
        if resource is None:
            raise KeyError(name)
        named = resource.get("Properties", {}).get(_NAMES.get(resource["Type"], ""))
        return f"${{{name}}}" if named is None else self.value(named)

    def _attribute(self, name: str, attribute: str) -> Any:
        resource = self.body["Resources"][name]
        if attribute == _NAMES.get(resource["Type"]):
            return self._ref(name)
        return f"${{{name}.{attribute}}}"

    def _variable(self, name: str, own: Mapping[str, Any]) -> str:
        if name.startswith("!"):
            return f"${{{name[1:]}}}"
        if name in own:
            return str(self.value(own[name]))
        if "." in name:
            return str(self._attribute(*name.split(".", 1)))
        return str(self._ref(name))

    def _holds(self, condition: Any) -> bool:
        match condition:
            case {"Condition": str(name)}:
                return self._holds(self.body["Conditions"][name])
            case {"Fn::Not": [operand]}:
                return not self._holds(operand)
            case {"Fn::And": operands}:
                return all(self._holds(operand) for operand in operands)
            case {"Fn::Or": operands}:
                return any(self._holds(operand) for operand in operands)
            case {"Fn::Equals": [left, right]}:
                return bool(self.value(left) == self.value(right))
            case _:
                raise KeyError(f"condition {condition!r}")
