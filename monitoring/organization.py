"""The organisation that both accounts have to be in, where one is named.

It comes on top of the accounts that are listed, and never instead of them.
"""

from __future__ import annotations

from typing import Any

from troposphere import Equals, If, Not, Parameter, Ref, Template

HAS_ORGANIZATION = "HasOrganization"


def add_parameter(template: Template) -> None:
    """Add the parameter `OrganizationId` and its condition."""
    template.add_parameter(
        Parameter(
            "OrganizationId",
            Type="String",
            Default="",
            AllowedPattern=r"(o-[a-z0-9]{10,32})?",
            Description="The organisation both accounts have to be in. Empty: not asked for",
        )
    )
    template.add_condition(HAS_ORGANIZATION, Not(Equals(Ref("OrganizationId"), "")))


def in_organization(equals: dict[str, Any]) -> dict[str, Any]:
    """Return the condition block `StringEquals` of `equals`, and of the organisation if named."""
    return {
        "StringEquals": If(
            HAS_ORGANIZATION,
            {**equals, "aws:PrincipalOrgID": Ref("OrganizationId")},
            equals,
        )
    }
