"""The tags every resource carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import Sub, Tags, autoscaling, ec2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from troposphere import AWSObject

PROJECT = {"Project": "aws-architectures", "Part": "webtier"}


def tags(name: str) -> Tags:
    """The project's tags and a `Name`: the stack's name and this one."""
    return Tags(Name=_full(name), **PROJECT)


def tag_all(resources: Iterable[AWSObject]) -> None:
    """Tag each resource that CloudFormation can tag and that has no tags of its own yet."""
    for resource in resources:
        if "Tags" in resource.props and "Tags" not in resource.properties:
            resource.Tags = tags(resource.title)


def propagated(name: str) -> list[autoscaling.Tag]:
    """The same tags for an Auto Scaling group, which hands them to its instances."""
    return [
        autoscaling.Tag(key, value, True) for key, value in {"Name": _full(name), **PROJECT}.items()
    ]


def specifications(name: str, *kinds: str) -> list[ec2.TagSpecifications]:
    """The same tags for what a launch template makes: `instance`, `volume` and so on."""
    return [ec2.TagSpecifications(ResourceType=kind, Tags=tags(name)) for kind in kinds]


def _full(name: str) -> Sub:
    return Sub(f"${{AWS::StackName}}-{name}")
