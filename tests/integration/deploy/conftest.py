"""Fixtures of the tests of deployments."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import EmbeddedAws


@pytest.fixture
def account(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> str:
    """An account in which nothing was ever deployed."""
    number = str(random.randrange(3 * 10**11, 10**12))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", number)
    return number
