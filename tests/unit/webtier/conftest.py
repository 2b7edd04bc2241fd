from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from webtier.build import Options, template


@pytest.fixture(
    scope="session",
    params=[Options(), Options(zones=3, vpc_cidr=IPv4Network("172.20.0.0/22"))],
    ids=["default", "three-zones"],
)
def options(request: pytest.FixtureRequest) -> Options:
    """Options at both ends of what the template can be."""
    return request.param


@pytest.fixture(scope="session")
def body(options: Options) -> dict[str, Any]:
    """The template of those options, as CloudFormation gets it."""
    return template(options).to_dict()


@pytest.fixture(scope="session")
def resources(body: dict[str, Any]) -> dict[str, Any]:
    return body["Resources"]
