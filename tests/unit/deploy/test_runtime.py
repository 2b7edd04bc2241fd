from __future__ import annotations

import pytest
from packaging.tags import parse_tag

from deploy.runtime import Runtime


def faults(runtime: Runtime, *tags: str) -> list[str]:
    return list(runtime.faults(frozenset(tag for text in tags for tag in parse_tag(text))))


@pytest.mark.parametrize(
    ("python", "architecture", "tags"),
    [
        ("3.11", "x86_64", ("py3-none-any",)),
        ("3.11", "x86_64", ("py2.py3-none-any",)),
        (
            "3.11",
            "x86_64",
            ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",),
        ),
        ("3.11", "arm64", ("cp311-cp311-manylinux_2_26_aarch64",)),
        ("3.12", "arm64", ("cp312-cp312-manylinux_2_34_aarch64",)),
        ("3.13", "x86_64", ("cp39-abi3-manylinux2014_x86_64",)),
        # One that runs is enough: the others are for other machines.
        ("3.11", "x86_64", ("cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-manylinux1_x86_64")),
    ],
)
def test_a_wheel_that_runs(python: str, architecture: str, tags: tuple[str, ...]) -> None:
    assert faults(Runtime(python, architecture), *tags) == []


@pytest.mark.parametrize(
    ("python", "architecture", "tag", "told"),
    [
        (
            "3.11",
            "x86_64",
            "cp311-cp311-manylinux_2_27_x86_64",
            "needs glibc 2.27",
        ),
        (
            "3.12",
            "x86_64",
            "cp312-cp312-manylinux_2_35_x86_64",
            "needs glibc 2.35",
        ),
        ("3.11", "arm64", "cp311-cp311-manylinux2014_x86_64", "is for x86_64"),
        ("3.11", "x86_64", "cp311-cp311-linux_x86_64", "built from source"),
        ("3.11", "x86_64", "cp311-cp311-musllinux_1_2_x86_64", "is for musllinux_1_2_x86_64"),
        ("3.11", "x86_64", "cp311-cp311-macosx_11_0_arm64", "is for macosx_11_0_arm64"),
        (
            "3.11",
            "x86_64",
            "cp312-cp312-manylinux2014_x86_64",
            "is for cp312-cp312, not",
        ),
        ("3.11", "x86_64", "cp312-abi3-manylinux2014_x86_64", "is for cp312-abi3"),
        ("3.13", "x86_64", "cp313-cp313t-manylinux2014_x86_64", "is for cp313-cp313t"),
    ],
)
def test_a_wheel_that_does_not_run(python: str, architecture: str, tag: str, told: str) -> None:
    (fault,) = faults(Runtime(python, architecture), tag)
    assert told in fault


def test_a_wheel_without_tags_is_not_trusted() -> None:
    assert faults(Runtime("3.11", "x86_64")) == ["names no tag"]


def test_markers_are_those_of_the_runtime() -> None:
    environment = Runtime("3.12", "arm64").marker_environment
    assert environment["platform_machine"] == "aarch64"
    assert environment["python_version"] == "3.12"


def test_pip_is_asked_for_nothing_newer_than_the_runtime() -> None:
    platforms = Runtime("3.11", "arm64").platforms
    assert platforms[0] == "manylinux_2_26_aarch64"
    assert platforms[-1] == "manylinux2014_aarch64"
