from __future__ import annotations

from typing import Any

import pytest

from webtier.build import Options, template


@pytest.fixture(scope="session")
def body() -> dict[str, Any]:
    """The default template, as CloudFormation gets it."""
    return template(Options()).to_dict()


@pytest.fixture(scope="session")
def resources(body: dict[str, Any]) -> dict[str, Any]:
    return body["Resources"]
