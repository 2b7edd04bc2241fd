"""Why a template and its resources are there, for the one who reads them in the console.

AWS CloudFormation Template Reference, "Metadata attribute", the key com.aws.cloudformation.Context;
rule I4010 of cfn-lint asks for it.
"""

from __future__ import annotations

_KEY = "com.aws.cloudformation.Context"


def architecture(summary: str) -> dict[str, dict[str, str]]:
    """Return a template's metadata: what it builds and how data flows through it."""
    return {_KEY: {"arch": summary}}


def why(reason: str) -> dict[str, dict[str, str]]:
    """Return a resource's metadata: what it is for."""
    return {_KEY: {"why": reason}}
