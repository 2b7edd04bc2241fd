"""Hold a package against what is pinned, Lambda's runtime and the licences that are allowed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy import distributions, wheels
from deploy.distributions import CompiledFile, Contents, Distribution
from deploy.errors import PackageError
from deploy.licenses import FIX, Licenses
from deploy.runtime import Runtime, dotted
from deploy.wheels import Pinned


@dataclass(frozen=True)
class Inspected:
    """A package in which nothing is wrong: what it is made for, has, and has the licences of."""

    runtime: Runtime
    contents: Contents
    licenses: Licenses


def inspect(
    package: Path, requirements: Path, runtime: Runtime, licenses: Licenses | None = None
) -> Inspected:
    """Check the package against requirements.txt and the settings of licences.

    Raises PackageError: it is not fit to be shipped; the text names each fault and the fix.
    """
    return examine(distributions.read(package), package.name, requirements, runtime, licenses)


def examine(
    contents: Contents,
    name: str,
    requirements: Path,
    runtime: Runtime,
    licenses: Licenses | None = None,
) -> Inspected:
    """Check what is in the package of this name, as `inspect` does. Raises PackageError."""
    licenses = licenses or Licenses.read()
    faults = [
        *_unpinned(contents, wheels.pinned(requirements, runtime)),
        *(f"{each} {fault}" for each in contents.distributions for fault in _wheel(each, runtime)),
        *(
            f"{each.name} is compiled and came in no wheel: name its package in requirements.in"
            for each in contents.compiled
        ),
    ]
    licensed = [
        f"{each} {fault}" for each in contents.distributions for fault in licenses.faults(each)
    ]
    if licensed:
        faults.append(f"{', '.join(licensed)}: not allowed: {FIX}")
    if faults:
        raise PackageError(f"{name} is not fit to be deployed as {runtime}: {'; '.join(faults)}")
    return Inspected(runtime, contents, licenses)


def _unpinned(contents: Contents, pinned: list[Pinned]) -> Iterator[str]:
    """Say where the package is not what requirements.txt says."""
    wanted = {each.name: each for each in pinned}
    found = {each.name: each for each in contents.distributions}
    again = "remove the package from .chalice/deployments and deploy again"
    for name in sorted(wanted.keys() - found.keys()):
        yield f"{name} {wanted[name].version} is pinned and missing: {again}"
    for name in sorted(found.keys() - wanted.keys()):
        yield f"{found[name]} is not pinned: name it in requirements.in and run `make requirements`"
    for name in sorted(wanted.keys() & found.keys()):
        if found[name].version != wanted[name].version:
            yield f"{found[name]} is not the pinned version {wanted[name].version}: {again}"
        if found[name].sha256 and f"sha256:{found[name].sha256}" not in wanted[name].hashes:
            yield f"{found[name]} comes from {found[name].wheel}, whose hash is not pinned: {again}"


def _wheel(distribution: Distribution, runtime: Runtime) -> Iterator[str]:
    """Say why the distribution would not run, or is not what its wheel had."""
    fix = f"pin a version with a wheel for {runtime.manylinux} or older"
    for fault in runtime.faults(distribution.tags):
        yield f"{fault}: {fix}"
    for file in distribution.compiled:
        for fault in _compiled(file, runtime):
            yield f"{fault}: {fix}"
    if distribution.damaged:
        yield f"is not what its wheel had: {', '.join(distribution.damaged)}"


def _compiled(file: CompiledFile, runtime: Runtime) -> Iterator[str]:
    if file.machine != runtime.elf_machine:
        yield f"has {file.name}, which is not compiled for {runtime.machine}"
    if file.glibc > runtime.glibc:
        needed, there = dotted(file.glibc), dotted(runtime.glibc)
        yield f"has {file.name}, which needs glibc {needed}, and there is {there}"
