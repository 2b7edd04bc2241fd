from __future__ import annotations

import dataclasses
import re
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given

from tests.unit.webtier.strategies import any_options
from webtier.options import (
    DESCRIPTIONS,
    Architecture,
    Database,
    Nat,
    Options,
    ScheduledMinimum,
    flag_name,
)

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"zones": 1}, "zones: 1 is not 2 or 3"),
    ({"zones": "2"}, "zones: '2' is not a whole number"),
    ({"zones": True}, "zones: True is not a whole number"),
    ({"vpc-cidr": "10.0.0.0/8"}, "vpc-cidr: 10.0.0.0/8 is not between /16 and /22"),
    ({"vpc-cidr": "172.32.0.0/16"}, "vpc-cidr: 172.32.0.0/16 is not private"),
    ({"vpc-cidr": "10.0.0.1/16"}, "vpc-cidr: 10.0.0.1/16 has host bits set"),
    ({"vpc-cidr": 10}, "vpc-cidr: 10 is not a text"),
    ({"nat": "two"}, "nat: 'two' is not one of per-zone, one, none"),
    ({"plain-http": "yes"}, "plain-http: 'yes' is not true or false"),
    ({"architecture": "riscv"}, "architecture: 'riscv' is not one of arm64, x86_64"),
    ({"spot-percent": 101}, "spot-percent: 101 is not between 0 and 100"),
    ({"spot-types": ["m7g.large"]}, "spot-types: nothing runs on Spot Instances"),
    (
        {"spot-percent": 50, "spot-types": ["m7g.large", "m7i.large"]},
        "spot-types: m7i.large: not of arm64",
    ),
    (
        {"spot-percent": 50, "spot-types": ["m7g.large", "m7g.large"]},
        "spot-types: m7g.large is there twice",
    ),
    ({"spot-types": "m7g.large"}, "spot-types: 'm7g.large' is not a list of texts"),
    ({"schedule": ["0 7 * * MON-FRI"]}, "is not like '0 7 * * MON-FRI = 4'"),
    ({"schedule": ["0 7 * * = 4"]}, "has 4 fields before ="),
    ({"schedule": ["0 7 * * ? = 4"]}, "is not like"),
    ({"schedule": ["60 7 * * * = 4"]}, "schedule: '60 7 * * * = 4': minute 60 is not from 0 to 59"),
    ({"schedule": ["0 7 * * * = 1"]}, "has fewer than 2 instances"),
    ({"schedule": ["0 7 * * * = 2", "0 7 * * * = 3"]}, "schedule: 0 7 * * * is there twice"),
    ({"time-zone": "Mars/Olympus"}, "time-zone: 'Mars/Olympus' is not in this machine's"),
    ({"time-zone": "../etc/passwd"}, "time-zone: '../etc/passwd' is not in this machine's"),
    ({"database": "aurora"}, "database: 'aurora' is not one of instance, replica, cluster"),
    ({"storage-gib": 19}, "storage-gib: 19 is not between 20 and 59578"),
    (
        {"storage-gib": 190},
        "max-storage-gib: 200 is not between 209, a tenth above storage-gib, and 65536",
    ),
    (
        {"storage-gib": 59_579, "max-storage-gib": 65_536},
        "storage-gib: 59579 is not between 20 and 59578",
    ),
    ({"database": "cluster", "storage-gib": 65_537}, "is not between 20 and 65536"),
    ({"backup-days": 0}, "backup-days: 0 is not between 1 and 35"),
    ({"log-days": 31}, "CloudWatch does not keep logs for 31 days; try 60"),
    ({"zone": 2, "colour": "red"}, "no option colour, zone; the options are zones, vpc-cidr,"),
]


@pytest.mark.parametrize(("table", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_not_possible_is_refused_by_its_name(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Options.from_table(table)


def test_a_table_gives_every_option() -> None:
    given = Options.from_table(
        {
            "zones": 3,
            "vpc-cidr": "10.8.0.0/20",
            "nat": "none",
            "plain_http": True,
            "firewall": False,
            "architecture": "x86_64",
            "spot-percent": 60,
            "spot-types": ["m7a.large", "m7i.large"],
            "schedule": ["0 7 * *  MON-FRI=4"],
            "time-zone": "Etc/UTC",
            "database": "cluster",
            "storage-gib": 100,
            "max-storage-gib": 400,
            "backup-days": 35,
            "log-days": 30,
            "deletion-protection": False,
        }
    )
    assert given == Options(
        zones=3,
        vpc_cidr=IPv4Network("10.8.0.0/20"),
        nat=Nat.NONE,
        plain_http=True,
        firewall=False,
        architecture=Architecture.X86_64,
        spot_percent=60,
        spot_types=("m7a.large", "m7i.large"),
        schedule=(ScheduledMinimum("0 7 * * MON-FRI", 4),),
        database=Database.CLUSTER,
        storage_gib=100,
        max_storage_gib=400,
        backup_days=35,
        log_days=30,
        deletion_protection=False,
    )


@given(options=any_options())
def test_what_an_option_prints_as_is_what_it_takes(options: Options) -> None:
    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return [str(item) for item in value]
        return value if isinstance(value, bool | int) else str(value)

    table = {
        flag_name(field.name): plain(getattr(options, field.name))
        for field in dataclasses.fields(Options)
    }
    assert Options.from_table(table) == options


def test_the_storage_of_a_cluster_needs_no_room_to_grow() -> None:
    assert Options.from_table({"database": "cluster", "storage-gib": 65_536})
    assert Options.from_table({"storage-gib": 59_578, "max-storage-gib": 65_536})


def test_every_option_is_described() -> None:
    assert list(DESCRIPTIONS) == [field.name for field in dataclasses.fields(Options)]


@pytest.mark.parametrize(
    ("architecture", "own", "others"),
    [
        (
            Architecture.ARM64,
            ("t4g.small", "m7g.large", "c7gn.2xlarge", "x2gd.medium", "a1.large", "g5g.xlarge"),
            ("t3.small", "m7i-flex.large", "g4dn.xlarge", "m5.large", "x4g", "t4g."),
        ),
        (
            Architecture.X86_64,
            ("t3.small", "t3a.small", "m7i-flex.large", "g4dn.xlarge", "u7i-12tb.224xlarge"),
            ("t4g.small", "m7gd.large", "im4gn.large", "t3", "T3.small"),
        ),
    ],
)
def test_a_type_has_the_processors_its_name_says(
    architecture: Architecture, own: tuple[str, ...], others: tuple[str, ...]
) -> None:
    for name in own:
        assert re.fullmatch(architecture.instance_type, name), name
    for name in others:
        assert not re.fullmatch(architecture.instance_type, name), name
    for name in architecture.spot_types:
        assert re.fullmatch(architecture.instance_type, name), name
