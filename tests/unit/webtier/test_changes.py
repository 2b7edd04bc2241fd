"""What the documentation says of a change, against what CloudFormation replaces for it.

CloudFormation replaces a resource when a property changes that its schema calls create-only; the
schemas are those that cfn-lint ships. A resource that names a replaced one in such a property is
replaced with it.
"""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.unit.webtier.strategies import Resources, resources_of
from webtier.options import Architecture, Database, Nat, Options

DOCUMENT = (Path(__file__).parents[3] / "docs" / "webtier.md").read_text(encoding="utf-8")
DEFAULT = Options()
THREE = Options(zones=3)
PLAIN = Options(plain_http=True)
# Each row of the table: the options before and after it.
CHANGES = {
    "`--zones 2` to `3`": (DEFAULT, THREE),
    "`--zones 3` to `2`": (THREE, DEFAULT),
    "`--vpc-cidr`": (DEFAULT, Options(vpc_cidr=IPv4Network("10.9.0.0/16"))),
    "`--nat`": (DEFAULT, Options(nat=Nat.NONE)),
    "`--plain-http` to HTTPS": (PLAIN, DEFAULT),
    "`--architecture`": (DEFAULT, Options(architecture=Architecture.X86_64)),
    "`--database instance` to `replica`": (DEFAULT, Options(database=Database.REPLICA)),
    "`--database instance` to `cluster`": (DEFAULT, Options(database=Database.CLUSTER)),
    "`--storage-gib`": (DEFAULT, Options(storage_gib=100)),
    "`--backup-days`": (DEFAULT, Options(backup_days=30)),
    "`--deletion-protection`": (DEFAULT, Options(deletion_protection=False)),
}
PARAMETERS = {
    "`DatabaseClass`": "DatabaseClass",
    "`InstanceType`, `ImageId`": "InstanceType",
}
MINOR_VERSION = "a minor version of PostgreSQL"


def documented() -> dict[str, str]:
    """The last column of the table, by the first."""
    table = DOCUMENT.split("## What a change does")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.*?) \|.*\| (kept|replaced) \|$", table, re.MULTILINE)
    return dict(rows)


@functools.cache
def create_only(kind: str) -> frozenset[str]:
    """The properties of a type, at the top level, a change of which replaces the resource."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    paths = schema.get("createOnlyProperties", [])
    return frozenset(path.removeprefix("/properties/").split("/")[0] for path in paths)


def names(value: Any) -> set[str]:
    """The logical ids that a value refers to."""
    match value:
        case {"Ref": name}:
            return {name}
        case {"Fn::GetAtt": [name, _]}:
            return {name}
        case {"Fn::Sub": text} if isinstance(text, str):
            return set(re.findall(r"\$\{(\w+)", text))
        case dict():
            return set().union(*map(names, value.values()))
        case list():
            return set().union(*map(names, value))
    return set()


def replaced(before: Resources, after: Resources) -> set[str]:
    """The logical ids that are replaced between two templates."""
    found: set[str] = set()
    while True:
        more = {
            title
            for title in before.keys() & after.keys() - found
            for name in create_only(after[title]["Type"])
            if before[title]["Properties"].get(name) != after[title]["Properties"].get(name)
            or names(after[title]["Properties"].get(name)) & found
        }
        if not more:
            return found
        found |= more


def database_of(options: Options) -> str:
    return "DatabaseCluster" if options.clustered else "Database"


@pytest.mark.parametrize("change", CHANGES)
def test_the_database_is_kept_or_replaced_as_the_table_says(change: str) -> None:
    before, after = CHANGES[change]
    gone = database_of(before) != database_of(after) or database_of(before) in replaced(
        resources_of(before), resources_of(after)
    )
    assert documented()[change] == ("replaced" if gone else "kept")


@pytest.mark.parametrize("change", PARAMETERS)
def test_no_parameter_of_size_is_in_a_property_that_replaces(change: str) -> None:
    assert documented()[change] == "kept"
    for options in (DEFAULT, replace(DEFAULT, database=Database.CLUSTER)):
        for title, resource in resources_of(options).items():
            for name in create_only(resource["Type"]):
                value = resource["Properties"].get(name)
                assert PARAMETERS[change] not in names(value), (title, name)


def test_every_row_of_the_table_is_held_against_the_schemas() -> None:
    assert documented().keys() == CHANGES.keys() | PARAMETERS.keys() | {MINOR_VERSION}


@pytest.mark.parametrize("database", Database)
def test_another_version_of_the_engine_replaces_no_database(database: Database) -> None:
    chosen = replace(DEFAULT, database=database)
    kind = resources_of(chosen)[database_of(chosen)]["Type"]
    assert "EngineVersion" not in create_only(kind)
    assert documented()[MINOR_VERSION] == "kept"


def test_a_zone_more_or_less_replaces_nothing() -> None:
    assert replaced(resources_of(DEFAULT), resources_of(THREE)) == set()
    assert replaced(resources_of(THREE), resources_of(DEFAULT)) == set()


def test_another_range_leaves_the_database_where_it_is() -> None:
    before, after = CHANGES["`--vpc-cidr`"]
    gone = replaced(resources_of(before), resources_of(after))
    assert gone >= {"Vpc", "DataSubnetA", "LoadBalancerSecurityGroup", "TargetGroup"}
    # RDS has no way to move a subnet group to another VPC, so this update rolls back.
    assert "DatabaseSubnets" not in gone
