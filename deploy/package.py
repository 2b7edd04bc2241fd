"""Make a part's package and its bill of materials by hand: `python -m deploy.package --help`."""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chalice.deploy.packager import DependencyBuilder, LambdaDeploymentPackager
from chalice.utils import UI, OSUtils

from deploy import bill, instances, packing, parts
from deploy.errors import DeployError
from deploy.parts import PARTS

ROOT = Path(__file__).resolve().parent.parent
_CHALICE_PARTS = tuple(name for name, part in PARTS.items() if part.chalice)
_PYTHONS = ("3.11", "3.12", "3.13")
_ARCHITECTURES = ("x86_64", "arm64")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    arguments = _parser().parse_args(argv)
    if arguments.part == instances.NAME:
        return _application(arguments.root, arguments.output)
    packing.install()
    made = make(arguments.root / arguments.part, arguments.python, arguments.architecture)
    name = f"{arguments.part}-python{arguments.python}-{arguments.architecture}.zip"
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    package = Path(shutil.copyfile(made, output / name))
    described = Path(shutil.copyfile(bill.path_of(made), bill.path_of(package)))
    for line in _table(json.loads(described.read_text(encoding="utf-8"))):
        print(line)
    print(package)
    print(described)
    return 0


def _application(root: Path, output: Path) -> int:
    """Write the web tier's artifact and a bill for each architecture; returns the exit status."""
    seen = instances.Packages()
    module = parts.load(PARTS[instances.NAME], root)
    try:
        made = module.application({}, look=seen.look)
    except (DeployError, module.artifact.ArtifactError) as error:
        print(f"python -m deploy.package: {error}", file=sys.stderr)
        return 1
    output.mkdir(parents=True, exist_ok=True)
    package = output / f"{instances.NAME}.tar.gz"
    package.write_bytes(made.content)
    print(package)
    for architecture, text in seen.bills(made.sha256).items():
        described = output / f"{instances.NAME}-{architecture}.cdx.json"
        described.write_text(text, encoding="utf-8")
        print(described)
    return 0


def make(directory: Path, python: str, architecture: str) -> Path:
    """Make the package of the project in the folder, as Chalice does, or find it in its cache.

    Raises SystemExit: it cannot be made, or is not fit to be deployed.
    """
    osutils = OSUtils()
    packager = LambdaDeploymentPackager(
        osutils,
        DependencyBuilder(osutils, architecture=architecture),
        UI(out=sys.stderr),
        architecture,
    )
    return Path(packager.create_deployment_package(str(directory), f"python{python}"))


def _table(document: dict[str, Any]) -> list[str]:
    rows = [
        (
            f"{each['name']} {each['version']}",
            each["licenses"][0]["expression"],
            next((link["comment"] for link in each.get("externalReferences", ())), ""),
        )
        for each in document.get("components", ())
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.package",
        description="Make the package that the functions of a part run from, check it, and write "
        "it and its\nbill of materials (CycloneDX 1.6). `python -m deploy` does so by itself.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "part",
        choices=(*_CHALICE_PARTS, instances.NAME),
        help="the part; of webtier it makes what the instances run, for both architectures",
    )
    parser.add_argument(
        "--python",
        choices=_PYTHONS,
        default=f"{sys.version_info.major}.{sys.version_info.minor}",
        help="the version of the runtime (default: that of this Python, as Chalice deploys it)",
    )
    parser.add_argument("--architecture", choices=_ARCHITECTURES, default="x86_64")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "build", metavar="DIR", help="default: build"
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=ROOT,
        metavar="DIR",
        help="the folder that holds the part's folder, for a copy of it (default: this checkout)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
