from __future__ import annotations

from typing import Any

import pytest

from webtier.drill import page, reading
from webtier.drill.tier import Tier


@pytest.fixture(scope="session")
def default() -> dict[str, Any]:
    """The default template; do not change it."""
    return page.default()


@pytest.fixture(scope="session")
def tier(default: dict[str, Any]) -> Tier:
    return reading.read(default, reading.stand_ins(default))
