"""What a package is refused for: each fault is put into one that is in order otherwise."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deploy import bill, distributions, inspection, wheels
from deploy.errors import PackageError, SettingsError
from deploy.licenses import Licenses
from deploy.runtime import Runtime

RUNTIME = Runtime("3.11", "x86_64")
WHEEL = "shop-1.0-cp311-cp311-manylinux2014_x86_64.whl"
SHA256 = "0" * 64
X86_64, AARCH64 = 62, 183
CLASSIFIER = "Classifier: License :: OSI Approved ::"


def compiled(machine: int = X86_64, glibc: str = "2.17") -> bytes:
    """The header of a compiled file, and the names of the glibc versions it needs."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, machine)
    return header + b"\0GLIBC_2.2.5\0GLIBC_" + glibc.encode() + b"\0"


def record(files: dict[str, bytes]) -> bytes:
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        lines.append(f"{name},sha256={digest},{len(data)}\n")
    return "".join([*lines, "shop-1.0.dist-info/RECORD,,\n"]).encode()


class Package:
    """A package of one distribution, `shop` 1.0, and the requirements it is made from."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "package.zip"
        self.requirements = folder / "requirements.txt"
        self.requirements.write_text(f"shop==1.0 \\\n    --hash=sha256:{SHA256}\n")
        self.tag = "cp311-cp311-manylinux2014_x86_64"
        self.license = "License-Expression: MIT"
        self.core = compiled()
        self.sbom: dict[str, Any] = {"components": []}
        self.own = {"app.py": b"", "chalice/app.py": b"__version__: str = '1.34.0'\n"}
        self.listed = f"{SHA256}  {WHEEL}\n"
        self.changed: dict[str, bytes] = {}

    def inspect(self, licenses: Licenses | None = None) -> inspection.Inspected:
        metadata = f"Metadata-Version: 2.4\nName: Shop\nVersion: 1.0\n{self.license}\n"
        files = {
            "shop/core.so": self.core,
            "shop/__init__.py": b"",
            "shop-1.0.dist-info/METADATA": metadata.encode(),
            "shop-1.0.dist-info/WHEEL": f"Wheel-Version: 1.0\nTag: {self.tag}\n".encode(),
            "shop-1.0.dist-info/sboms/core.cdx.json": json.dumps(self.sbom).encode(),
        }
        files["shop-1.0.dist-info/RECORD"] = record(files)
        files |= self.changed | self.own | {wheels.LIST: self.listed.encode()}
        with zipfile.ZipFile(self.path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return inspection.inspect(self.path, self.requirements, RUNTIME, licenses)


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(tmp_path)


def refused(package: Package) -> str:
    with pytest.raises(PackageError) as caught:
        package.inspect()
    return str(caught.value)


def test_what_is_in_a_package(package: Package) -> None:
    contents = package.inspect().contents
    (shop,) = contents.distributions
    assert (shop.name, shop.version) == ("shop", "1.0")
    assert (shop.wheel, shop.sha256) == (WHEEL, SHA256)
    assert [(each.machine, each.glibc) for each in shop.compiled] == [(X86_64, (2, 17))]
    assert contents.chalice == "1.34.0"
    assert contents.compiled == ()
    assert contents.sha256 == hashlib.sha256(package.path.read_bytes()).hexdigest()


def test_a_wheel_for_another_machine_is_refused(package: Package) -> None:
    package.tag = "cp311-cp311-manylinux2014_aarch64"
    told = refused(package)
    assert "package.zip is not fit to be deployed as python3.11 on x86_64" in told
    assert "shop 1.0 is for aarch64: pin a version with a wheel for manylinux_2_26_x86_64" in told


def test_a_wheel_for_a_newer_glibc_is_refused(package: Package) -> None:
    package.tag = "cp311-cp311-manylinux_2_28_x86_64"
    assert "shop 1.0 needs glibc 2.28, and there is 2.26" in refused(package)


def test_what_was_built_from_source_is_refused(package: Package) -> None:
    package.tag = "cp311-cp311-linux_x86_64"
    assert "shop 1.0 was built from source" in refused(package)


def test_a_compiled_file_is_looked_into_whatever_the_tag_says(package: Package) -> None:
    package.core = compiled(machine=AARCH64)
    assert "shop 1.0 has shop/core.so, which is not compiled for x86_64" in refused(package)
    package.core = compiled(glibc="2.34")
    assert "shop/core.so, which needs glibc 2.34, and there is 2.26" in refused(package)


def test_a_compiled_file_that_came_in_no_wheel_is_refused(package: Package) -> None:
    package.own["chalicelib/fast.so"] = compiled()
    assert "chalicelib/fast.so is compiled and came in no wheel" in refused(package)


def test_a_file_that_is_not_what_the_wheel_had_is_refused(package: Package) -> None:
    package.changed["shop/__init__.py"] = b"import this\n"
    assert "shop 1.0 is not what its wheel had: shop/__init__.py" in refused(package)


def test_what_is_not_pinned_is_refused(package: Package) -> None:
    package.requirements.write_text("")
    assert "shop 1.0 is not pinned: name it in requirements.in" in refused(package)


def test_another_version_than_the_pinned_one_is_refused(package: Package) -> None:
    package.requirements.write_text(f"shop==1.1 --hash=sha256:{SHA256}\n")
    assert "shop 1.0 is not the pinned version 1.1" in refused(package)


def test_a_wheel_whose_hash_is_not_pinned_is_refused(package: Package) -> None:
    package.listed = f"{'1' * 64}  {WHEEL}\n"
    assert f"shop 1.0 comes from {WHEEL}, whose hash is not pinned" in refused(package)


def test_what_is_pinned_and_missing_is_refused(package: Package) -> None:
    package.requirements.write_text(
        f"shop==1.0 --hash=sha256:{SHA256}\ntill==2.0 --hash=sha256:{SHA256}\n"
        f"scale==3.0 ; platform_machine == 'aarch64' --hash=sha256:{SHA256}\n"
    )
    told = refused(package)
    assert "till 2.0 is pinned and missing" in told
    assert "scale" not in told


def test_a_requirement_without_a_hash_is_refused(package: Package) -> None:
    package.requirements.write_text("shop==1.0\n")
    assert "requirements.txt does not pin shop to a version and to hashes" in refused(package)


@pytest.mark.parametrize(
    "metadata",
    [
        "License-Expression: MIT",
        "License-Expression: (MIT OR GPL-3.0-only) AND Zlib",
        "License-Expression: Apache-2.0 WITH LLVM-exception",
        f"{CLASSIFIER} MIT License",
    ],
)
def test_an_allowed_licence(package: Package, metadata: str) -> None:
    package.license = metadata
    package.inspect()


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ("License-Expression: GPL-3.0-only", "has the licence GPL-3.0-only"),
        ("License-Expression: MIT AND LGPL-3.0-only", "has the licence MIT AND LGPL-3.0-only"),
        ("License-Expression: Apache-2.0 WITH Swift-exception", "WITH Swift-exception"),
        ("License-Expression: (MIT", "has the licence (MIT"),
        ("License: BSD", "does not say its licence as an expression"),
        (f"{CLASSIFIER} BSD License", "does not say its licence"),
        (
            f"{CLASSIFIER} MIT License\n{CLASSIFIER} Apache Software License",
            "does not say its licence",
        ),
    ],
)
def test_another_licence_is_refused(package: Package, metadata: str, told: str) -> None:
    package.license = metadata
    message = refused(package)
    assert told in message
    assert "add what you have read to deploy/licenses.toml" in message


def test_the_licence_of_what_is_built_in_counts_too(package: Package) -> None:
    build_only = {"name": "make", "scope": "excluded", "licenses": [{"expression": "GPL-3.0-only"}]}
    crate = {"name": "crate", "version": "2", "licenses": [{"license": {"id": "GPL-2.0-only"}}]}
    package.sbom = {"components": [build_only]}
    package.inspect()
    package.sbom = {"components": [build_only, crate]}
    told = refused(package)
    assert "shop 1.0 has crate built in, of the licence GPL-2.0-only" in told
    assert "make" not in told


def test_what_a_person_accepted_is_good_for_its_version(package: Package, tmp_path: Path) -> None:
    settings = tmp_path / "licenses.toml"
    entry = (
        'allowed = ["MIT"]\n[[accepted]]\npackage = "shop"\nversion = "1.0"\n'
        'license = "GPL-3.0-only"\nreason = "Nobody gets it but us."\n'
    )
    package.license = "License-Expression: GPL-3.0-only"
    settings.write_text(entry)
    assert package.inspect(Licenses.read(settings))
    settings.write_text(entry.replace('"1.0"', '"1.1"'))
    with pytest.raises(PackageError, match="has the licence GPL"):
        package.inspect(Licenses.read(settings))
    settings.write_text(entry.replace("Nobody gets it but us.", " "))
    with pytest.raises(SettingsError, match="lacks reason"):
        Licenses.read(settings)


@pytest.mark.parametrize(("text", "said"), [("MIT", True), ("MIT, or ask us", False)])
def test_an_identifier_in_the_field_of_older_metadata_is_a_licence(
    package: Package, text: str, said: bool
) -> None:
    package.license = f"License: {text}"
    if said:
        package.inspect()
    else:
        assert "does not say its licence as an expression" in refused(package)


def test_the_projects_settings_are_spdx_expressions() -> None:
    licenses = Licenses.read()
    for expression in licenses.allowed:
        assert licenses.allows(expression), expression


def test_the_bill_is_the_same_for_the_same_package(package: Package) -> None:
    first = bill.bill(package.inspect(), "shop_api")
    assert first == bill.bill(package.inspect(), "shop_api")
    assert "timestamp" not in first
    package.own["app.py"] = b"# another\n"
    other = json.loads(bill.bill(package.inspect(), "shop_api"))
    assert other["serialNumber"] != json.loads(first)["serialNumber"]


def test_the_bill_names_what_is_shipped(package: Package) -> None:
    package.sbom = {
        "components": [
            {
                "bom-ref": "crate@2",
                "name": "crate",
                "version": "2",
                "purl": "pkg:cargo/crate@2",
                "licenses": [{"expression": "MIT"}],
            }
        ]
    }
    inspected = package.inspect()
    path = bill.write(inspected, "shop_api", package.path)
    assert path == package.path.with_name("package.cdx.json")
    document = json.loads(path.read_text())
    app = document["metadata"]["component"]
    assert (app["name"], app["type"]) == ("shop_api", "application")
    assert app["hashes"] == [{"alg": "SHA-256", "content": inspected.contents.sha256}]
    found = {each["name"]: each for each in document["components"]}
    assert found.keys() == {"shop", "chalice"}
    shop = found["shop"]
    assert shop["purl"] == "pkg:pypi/shop@1.0"
    assert shop["licenses"] == [{"expression": "MIT"}]
    assert shop["hashes"] == [{"alg": "SHA-256", "content": SHA256}]
    inner = {each["name"]: each for each in shop["components"]}
    assert inner["crate"]["purl"] == "pkg:cargo/crate@2"
    assert inner["shop/core.so"]["hashes"][0]["content"] == hashlib.sha256(compiled()).hexdigest()


def test_reading_takes_a_package_of_chalice_alone(package: Package) -> None:
    with zipfile.ZipFile(package.path, "w") as archive:
        archive.writestr("app.py", "")
    contents = distributions.read(package.path)
    assert (contents.distributions, contents.chalice) == ((), None)
