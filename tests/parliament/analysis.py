"""parliament, which needs a hand to be imported."""

from __future__ import annotations

import json
import sys
import warnings
from importlib import resources as package_files
from types import ModuleType
from typing import Any

# It finds its data through pkg_resources, which setuptools no longer brings, leaves the files open,
# and warns where Python compiles it for the first time.
_stand_in = ModuleType("pkg_resources")
_stand_in.resource_filename = lambda package, name: str(package_files.files(package) / name)
_before = sys.modules.get("pkg_resources")
sys.modules["pkg_resources"] = _stand_in
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import parliament
finally:
    if _before is None:
        del sys.modules["pkg_resources"]
    else:
        sys.modules["pkg_resources"] = _before


def issues(document: dict[str, Any]) -> dict[str, str]:
    """What parliament has against a policy document of plain values: issue to detail."""
    analysed = parliament.analyze_policy_string(json.dumps(document))
    return {found.issue: f"{found.detail} {found.location}" for found in analysed.findings}
