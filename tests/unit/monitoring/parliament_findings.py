"""Prints parliament's findings on the policy documents of standard input, both as JSON.

A process of its own, because parliament imports `pkg_resources`, which setuptools no longer has,
and leaves its files open: both are errors inside of a test.
"""

import importlib.util
import json
import sys
import types
from pathlib import Path

spec = importlib.util.find_spec("parliament")
assert spec is not None
assert spec.origin is not None
folder = Path(spec.origin).parent
pkg_resources = types.ModuleType("pkg_resources")
pkg_resources.resource_filename = lambda _package, name: str(folder / name)
sys.modules["pkg_resources"] = pkg_resources
parliament = importlib.import_module("parliament")

json.dump(
    {
        where: [
            [finding.issue, str(finding.detail), str(finding.location)]
            for finding in parliament.analyze_policy_string(json.dumps(document)).findings
        ]
        for where, document in json.load(sys.stdin).items()
    },
    sys.stdout,
)
