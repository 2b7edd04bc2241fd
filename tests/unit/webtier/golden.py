"""Templates kept as they were meant; renew them with `python -m tests.unit.webtier.golden`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from ipaddress import IPv4Network
from pathlib import Path

from webtier import build
from webtier.options import Architecture, Database, Nat, Options, ScheduledMinimum

FOLDER = Path(__file__).parent / "golden"
COMMAND = "python -m tests.unit.webtier.golden"
OPTIONS = {
    "webtier.json": Options(),
    "development.json": Options(
        plain_http=True,
        firewall=False,
        architecture=Architecture.X86_64,
        nat=Nat.ONE,
        backup_days=1,
        log_days=7,
        deletion_protection=False,
    ),
    "no-internet.json": Options(
        zones=3,
        vpc_cidr=IPv4Network("172.20.0.0/22"),
        nat=Nat.NONE,
        spot_percent=50,
        schedule=(ScheduledMinimum("0 7 * * MON-FRI", 4),),
        database=Database.CLUSTER,
    ),
    "replica.json": Options(database=Database.REPLICA),
}


def write(directory: Path) -> None:
    """Write every template into the directory."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, options in OPTIONS.items():
            shutil.copy(build.write(build.template(options), Path(scratch)), directory / name)


if __name__ == "__main__":
    write(FOLDER)
    print(*(FOLDER / name for name in OPTIONS), sep="\n", file=sys.stdout)
