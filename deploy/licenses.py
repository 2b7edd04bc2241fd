"""Which licences what is shipped may have: licenses.toml."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from license_expression import AND, OR, ExpressionError, Licensing

from deploy.distributions import Distribution
from deploy.errors import SettingsError

SETTINGS = Path(__file__).with_name("licenses.toml")
FIX = "take another version or package, or add what you have read to deploy/licenses.toml"
_KEYS = frozenset({"package", "version", "license", "reason"})
# Classifiers that name one licence exactly (https://pypi.org/classifiers); "BSD License" does not.
_CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: MIT No Attribution License (MIT-0)": "MIT-0",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
    "License :: OSI Approved :: The Unlicense (Unlicense)": "Unlicense",
    "License :: OSI Approved :: zlib/libpng License": "Zlib",
}


@dataclass(frozen=True)
class Licenses:
    """The settings: expressions allowed for all, and those that a person accepted.

    `accepted` is by package, version and component; the component is None for the package itself.
    """

    allowed: frozenset[str]
    accepted: Mapping[tuple[str, str, str | None], str]

    @classmethod
    def read(cls, path: Path = SETTINGS) -> "Licenses":
        """Read the settings. Raises SettingsError: an entry lacks a key."""
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        accepted = {}
        for entry in document.get("accepted", ()):
            if missing := sorted(_KEYS - {key for key, value in entry.items() if value.strip()}):
                raise SettingsError(
                    f"{path.name}: an entry of [[accepted]] lacks {', '.join(missing)}: {entry}"
                )
            key = (entry["package"], entry["version"], entry.get("component"))
            accepted[key] = entry["license"]
        return cls(frozenset(document["allowed"]), accepted)

    def license(self, distribution: Distribution) -> str | None:
        """Return the distribution's licence as an SPDX expression; None where nothing says it."""
        read = self.accepted.get((distribution.name, distribution.version, None))
        if read or distribution.license_expression:
            return read or distribution.license_expression
        if len(distribution.classifiers) == 1:
            return _CLASSIFIERS.get(distribution.classifiers[0])
        # Any text is in this field; an identifier of SPDX says what it says.
        return distribution.license_text if distribution.license_text in self.allowed else None

    def faults(self, distribution: Distribution) -> Iterator[str]:
        """Say what is wrong with the distribution's licence, and those of what it has built in."""
        expression = self.license(distribution)
        if expression is None:
            yield "does not say its licence as an expression"
        elif not self._accepts(distribution, None, expression):
            yield f"has the licence {expression}"
        for component in components(distribution):
            inner = declared(component)
            if inner and not self._accepts(distribution, component["name"], inner):
                yield f"has {component['name']} built in, of the licence {inner}"

    def _accepts(self, owner: Distribution, component: str | None, expression: str) -> bool:
        read = self.accepted.get((owner.name, owner.version, component))
        return read == expression or self.allows(expression)

    def allows(self, expression: str) -> bool:
        """Whether the expression can be met with allowed licences alone."""
        try:
            return self._allows(_parsed(expression))
        except ExpressionError:
            return False

    def _allows(self, parsed: Any) -> bool:
        if isinstance(parsed, AND):
            return all(self._allows(each) for each in parsed.args)
        if isinstance(parsed, OR):
            return any(self._allows(each) for each in parsed.args)
        return str(parsed) in self.allowed


@cache
def _parsed(expression: str) -> Any:
    return Licensing().parse(expression)


def components(distribution: Distribution) -> Iterator[dict[str, Any]]:
    """Yield what the distribution says was compiled into it, as components of CycloneDX."""
    for document in distribution.sboms.values():
        own = document.get("metadata", {}).get("component", {}).get("bom-ref")
        for component in document.get("components", ()):
            itself = own is not None and component.get("bom-ref") == own
            # "excluded" is what only the build needed.
            if not itself and component.get("scope") != "excluded":
                yield component


def declared(component: Mapping[str, Any]) -> str | None:
    """Return the licence of a component of CycloneDX as an expression, None where it has none."""
    found = []
    for entry in component.get("licenses", ()):
        named = entry.get("license", {})
        found.append(entry.get("expression") or named.get("id") or named.get("name"))
    if len(found) > 1:
        return " AND ".join(f"({each})" for each in found)
    return found[0] if found else None
