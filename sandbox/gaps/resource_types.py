"""Adds resource types to the emulator's CloudFormation.

AWS: a changed property either updates the resource in place or replaces it, as the type's page in
the CloudFormation template reference says under "Update requires". A change set names the
replacement before it happens, the new resource is made first, and the old one goes when the rest
of the update has succeeded. Source: AWS CloudFormation user guide, "Understand update behaviors of
stack resources",
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html.

MiniStack 1.5.33: has all of that, driven by tables of the types it knows. `register` adds a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ministack.services.cloudformation import provisioners

if TYPE_CHECKING:
    from collections.abc import Callable

Properties = dict[str, Any]
Attributes = dict[str, Any]


@dataclass(frozen=True)
class ResourceType:
    """How a resource of one type is created, deleted and updated in place.

    Attributes:
        create: takes the logical id, the properties and the stack's name; gives the physical id,
            which is what Ref gives, and the attributes of GetAtt.
        delete: takes the physical id and the properties.
        update: takes the physical id and the new properties; gives the attributes.
        replaced_by: the properties of which a change replaces the resource.

    """

    create: Callable[[str, Properties, str], tuple[str, Attributes]]
    delete: Callable[[str, Properties], None]
    update: Callable[[str, Properties], Attributes]
    replaced_by: tuple[str, ...]


def register(name: str, resource_type: ResourceType) -> None:
    """Add a type, or take over one the emulator has."""

    def update(
        physical_id: str, _old: Properties, new: Properties, _stack_name: str
    ) -> tuple[str, Attributes]:
        return physical_id, resource_type.update(physical_id, new)

    provisioners._RESOURCE_HANDLERS[name] = {
        "create": resource_type.create,
        "update": update,
        "delete": resource_type.delete,
    }
    provisioners._REPLACING_PROPERTIES[name] = resource_type.replaced_by
    provisioners._STACK_TAG_PROPERTY[name] = ("Tags", "list")
