"""What shapes the template itself, as opposed to the stack's parameters.

Every option has a default, a line of help and a check. The command line and `stages.toml` are made
of the same fields, so what one takes the other takes too.
"""

from __future__ import annotations

import dataclasses
import re
import zoneinfo
from dataclasses import dataclass
from enum import EnumType, StrEnum
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from webtier import cron

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ZONES = (2, 3)
# Amazon VPC User Guide, "VPC CIDR blocks": at most /16. At /22 a subnet is a /26, which leaves a
# load balancer the eight free addresses it needs in each zone.
VPC_PREFIX_LENGTHS = (16, 22)
# RFC 1918, section 3.
_PRIVATE_RANGES = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
# Amazon RDS User Guide, "Backup retention period" and "Amazon RDS DB instance storage"; a Multi-AZ
# deployment without backups could not be restored to a point in time.
BACKUP_DAYS = (1, 35)
STORAGE_GIB = (20, 65_536)
CLUSTER_STORAGE_GIB = 100
# Amazon RDS User Guide, "Managing capacity automatically with Amazon RDS storage autoscaling": the
# maximum is at least a tenth above the storage.
_GROWTH_PERCENT = 110
_GROWING_STORAGE_GIB = (STORAGE_GIB[0], STORAGE_GIB[1] * 100 // _GROWTH_PERCENT)
# Amazon CloudWatch Logs API Reference, PutRetentionPolicy.
LOG_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827),
    *(2192, 2557, 2922, 3288, 3653),
)
SPOT_PERCENT = (0, 100)
# Two instances keep the application up when one, or its zone, fails.
MINIMUM_CAPACITY = 2

_CRON_FIELD = re.compile(r"[0-9A-Za-z*/,-]+")


class Nat(StrEnum):
    """How instances reach AWS APIs and packages."""

    PER_ZONE = "per-zone"
    ONE = "one"
    NONE = "none"


class Architecture(StrEnum):
    """The processors of the instances."""

    ARM64 = "arm64"
    X86_64 = "x86_64"

    @property
    def instance_type(self) -> str:
        """A regular expression for the instance types with these processors.

        Amazon EC2 User Guide, "Amazon EC2 instance type naming conventions": a `g` after the
        generation is AWS Graviton; a1 came before the convention.
        """
        if self is Architecture.ARM64:
            return r"(a1|[a-z]+[0-9]+g[a-z]*)\.[a-z0-9-]+"
        return r"[a-z]+[0-9]+([a-fh-z-][a-z0-9-]*)?\.[a-z0-9-]+"

    @property
    def spot_types(self) -> tuple[str, ...]:
        """Types of about the size of the default one, of several families: pools to draw from."""
        if self is Architecture.ARM64:
            return ("t4g.medium", "c6g.medium", "c7g.medium", "m6g.medium", "m7g.medium")
        return ("t3a.small", "t3.medium", "t3a.medium", "c7a.medium", "m7a.medium")


class Database(StrEnum):
    """How PostgreSQL is deployed; each has its data in more than one zone."""

    INSTANCE = "instance"
    REPLICA = "replica"
    CLUSTER = "cluster"


@dataclass(frozen=True)
class ScheduledMinimum:
    """From a time on, the fewest instances: `recurrence` is a cron expression of five fields."""

    recurrence: str
    minimum: int

    @classmethod
    def parse(cls, text: str) -> ScheduledMinimum:
        """Read `0 7 * * MON-FRI = 4`. Raises ValueError, whose text does not name the option."""
        recurrence, separator, minimum = (part.strip() for part in text.partition("="))
        fields = recurrence.split()
        if not (separator and minimum.isdecimal() and all(map(_CRON_FIELD.fullmatch, fields))):
            raise ValueError(f"{text!r} is not like '0 7 * * MON-FRI = 4'")
        if len(fields) != 5:
            raise ValueError(
                f"{text!r} has {len(fields)} fields before =, not the five of cron: "
                "minute, hour, day, month, day of the week"
            )
        for field, value in zip(cron.FIELDS, fields, strict=True):
            if problem := field.problem(value):
                raise ValueError(f"{text!r}: {problem}")
        if int(minimum) < MINIMUM_CAPACITY:
            raise ValueError(
                f"{text!r} has fewer than {MINIMUM_CAPACITY} instances, "
                "which a lost zone could take down together"
            )
        return cls(" ".join(fields), int(minimum))

    def __str__(self) -> str:
        return f"{self.recurrence} = {self.minimum}"


@dataclass(frozen=True)
class Description:
    """How people give an option: `parse` makes the value of a text, or each value of a list."""

    text: str
    parse: Callable[[str], Any]
    metavar: str | None = None

    def read(self, text: str) -> Any:
        """The value of a text. Raises ValueError, which says why, but not of which option."""
        try:
            return self.parse(text)
        except ValueError as error:
            if isinstance(self.parse, EnumType):
                choices = ", ".join(self.parse.__members__.values())
                raise ValueError(f"{text!r} is not one of {choices}") from error
            if self.parse is int:
                raise ValueError(f"{text!r} is not a whole number") from error
            raise


_DEFAULT_RANGE = IPv4Network("10.0.0.0/16")
_UTC = "Etc/UTC"


@dataclass(frozen=True)
class Options:
    """The options, checked; DESCRIPTIONS says what each means.

    Raises ValueError where the values are not possible; its text names the option and the fix.
    """

    zones: int = 2
    vpc_cidr: IPv4Network = _DEFAULT_RANGE
    nat: Nat = Nat.PER_ZONE
    plain_http: bool = False
    firewall: bool = True
    architecture: Architecture = Architecture.ARM64
    spot_percent: int = 0
    spot_types: tuple[str, ...] = ()
    schedule: tuple[ScheduledMinimum, ...] = ()
    time_zone: str = _UTC
    database: Database = Database.INSTANCE
    storage_gib: int = 20
    max_storage_gib: int = 200
    backup_days: int = 14
    log_days: int = 365
    deletion_protection: bool = True

    def __post_init__(self) -> None:
        self._check_network()
        self._check_capacity()
        self._check_database()

    @property
    def data_zones(self) -> int:
        """How many zones have a data subnet: a Multi-AZ cluster is always in three.

        Amazon RDS User Guide, "Multi-AZ DB cluster deployments".
        """
        return max(ZONES) if self.clustered else self.zones

    @property
    def initial_storage_gib(self) -> int:
        """The database's storage to begin with; a cluster's is larger.

        Amazon RDS User Guide, "Provisioned IOPS SSD storage".
        """
        return max(self.storage_gib, CLUSTER_STORAGE_GIB if self.clustered else 0)

    @property
    def clustered(self) -> bool:
        """Whether the database is a Multi-AZ cluster."""
        return self.database is Database.CLUSTER

    @property
    def types_for_spot(self) -> tuple[str, ...]:
        """What Spot may take beside InstanceType."""
        return self.spot_types or self.architecture.spot_types

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Options:
        """The options of a table of stages.toml, whose keys may have `-` or `_`.

        Raises ValueError: no such option, or a value that it does not take.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        given = {key.replace("-", "_"): value for key, value in table.items()}
        if unknown := sorted(given.keys() - fields.keys()):
            known = ", ".join(flag_name(name) for name in fields)
            raise ValueError(f"no option {', '.join(unknown)}; the options are {known}")
        return cls(**{name: _from_toml(fields[name], value) for name, value in given.items()})

    def _check_network(self) -> None:
        if self.zones not in ZONES:
            raise ValueError(f"zones: {self.zones} is not 2 or 3")
        largest, smallest = VPC_PREFIX_LENGTHS
        if not largest <= self.vpc_cidr.prefixlen <= smallest:
            raise ValueError(
                f"vpc-cidr: {self.vpc_cidr} is not between /{largest} and /{smallest}; "
                f"try {self.vpc_cidr.network_address}/{largest}"
            )
        if not any(self.vpc_cidr.subnet_of(private) for private in _PRIVATE_RANGES):
            raise ValueError(
                f"vpc-cidr: {self.vpc_cidr} is not private; take a range of 10.0.0.0/8, "
                "172.16.0.0/12 or 192.168.0.0/16"
            )

    def _check_capacity(self) -> None:
        _within("spot-percent", self.spot_percent, SPOT_PERCENT)
        if self.spot_types and not self.spot_percent:
            raise ValueError("spot-types: nothing runs on Spot Instances; give spot-percent too")
        pattern = re.compile(self.architecture.instance_type)
        if other := [name for name in self.spot_types if not pattern.fullmatch(name)]:
            raise ValueError(f"spot-types: {', '.join(other)}: not of {self.architecture}")
        _without_doubles("spot-types", self.spot_types)
        _without_doubles("schedule", [entry.recurrence for entry in self.schedule])
        if self.time_zone != _UTC:
            _check_time_zone(self.time_zone)

    def _check_database(self) -> None:
        if self.clustered:
            _within("storage-gib", self.storage_gib, STORAGE_GIB)
        else:
            self._check_growth()
        _within("backup-days", self.backup_days, BACKUP_DAYS)
        if self.log_days not in LOG_DAYS:
            nearest = next((days for days in LOG_DAYS if days > self.log_days), LOG_DAYS[-1])
            raise ValueError(
                f"log-days: CloudWatch does not keep logs for {self.log_days} days; try {nearest}"
            )

    def _check_growth(self) -> None:
        _within("storage-gib", self.storage_gib, _GROWING_STORAGE_GIB)
        least = -(-self.storage_gib * _GROWTH_PERCENT // 100)
        if not least <= self.max_storage_gib <= STORAGE_GIB[1]:
            raise ValueError(
                f"max-storage-gib: {self.max_storage_gib} is not between {least}, "
                f"a tenth above storage-gib, and {STORAGE_GIB[1]}"
            )


DESCRIPTIONS: Mapping[str, Description] = {
    "zones": Description("how many availability zones, 2 or 3", int),
    "vpc_cidr": Description("the VPC's private range, /16 to /22", IPv4Network, "CIDR"),
    "nat": Description(
        "a NAT gateway in each zone; one for all, cheaper but down with its zone; or none, with "
        "interface endpoints and no way to the internet",
        Nat,
    ),
    "plain_http": Description("development only: HTTP, without a certificate", bool),
    "firewall": Description("AWS WAF: common attacks, known bad inputs, a rate limit", bool),
    "architecture": Description("the instances' processors", Architecture),
    "spot_percent": Description(
        "how much of what is above MinCapacity runs on Spot Instances", int, "PERCENT"
    ),
    "spot_types": Description(
        "an instance type that Spot may take beside InstanceType; give several (default: five of "
        "about the default size)",
        str,
        "TYPE",
    ),
    "schedule": Description(
        "the fewest instances from a time on, such as '0 7 * * MON-FRI = 4'; give one for each "
        "time (default: MinCapacity always)",
        ScheduledMinimum.parse,
        "'CRON = NUMBER'",
    ),
    "time_zone": Description("the time zone of --schedule", str, "NAME"),
    "database": Description(
        "a Multi-AZ instance; one with a read replica; or a Multi-AZ cluster with two readers",
        Database,
    ),
    "storage_gib": Description(
        "the database's storage to begin with; a cluster has at least 100", int, "GIB"
    ),
    "max_storage_gib": Description(
        "how far the storage grows by itself; a cluster's does not grow", int, "GIB"
    ),
    "backup_days": Description("how long backups are kept, 1 to 35 days", int, "DAYS"),
    "log_days": Description("how long logs are kept", int, "DAYS"),
    "deletion_protection": Description("refuse to delete the load balancer and the database", bool),
}
"""What each option means, by the names of the fields of Options."""


def flag_name(name: str) -> str:
    """The option's name as people write it."""
    return name.replace("_", "-")


def _within(name: str, value: int, bounds: tuple[int, int]) -> None:
    low, high = bounds
    if not low <= value <= high:
        raise ValueError(f"{name}: {value} is not between {low} and {high}")


def _check_time_zone(name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise ValueError(
            f"time-zone: {name!r} is not in this machine's time zone database; a name is like "
            "Europe/Berlin"
        ) from error


def _without_doubles(name: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{name}: {value} is there twice")
        seen.add(value)


def _from_toml(field: dataclasses.Field[Any], value: object) -> Any:
    name, read = flag_name(field.name), DESCRIPTIONS[field.name].read
    match field.default, value:
        case tuple(), list() if all(isinstance(item, str) for item in value):
            return tuple(_named(name, read, item) for item in value)
        case bool(), bool():
            return value
        case int(), int() if not isinstance(field.default, bool) and not isinstance(value, bool):
            return value
        case ((IPv4Network() | str()), str()):
            return _named(name, read, value)
    wanted = {tuple: "a list of texts", bool: "true or false", int: "a whole number"}
    raise ValueError(f"{name}: {value!r} is not {wanted.get(type(field.default), 'a text')}")


def _named(name: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
