"""The software bill of materials of a package: CycloneDX 1.6, beside it, the same for the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from deploy.distributions import CompiledFile, Distribution
from deploy.inspection import Inspected
from deploy.licenses import Licenses, components, declared

_SUFFIX = ".cdx.json"
_LICENSE = "Apache-2.0"


def path_of(package: Path) -> Path:
    """Return where the package's bill of materials is."""
    return package.with_suffix(_SUFFIX)


def write(inspected: Inspected, name: str, package: Path) -> Path:
    """Write the bill of materials of the package beside it, and return where it is."""
    path = path_of(package)
    path.write_text(bill(inspected, name), encoding="utf-8")
    return path


def bill(
    inspected: Inspected, name: str, description: str = "AWS Lambda deployment package"
) -> str:
    """Return the bill of materials of a package, of the app of this name, as CycloneDX 1.6 JSON.

    It has neither time nor random number: the serial number comes from the package's digest, and
    the runtime, as one file may hold what several need.
    """
    contents = inspected.contents
    app = Component(
        name=name,
        type=ComponentType.APPLICATION,
        # An app has no version of its own; its content is what tells two apart.
        version=contents.sha256[:12],
        bom_ref=f"{name}@{contents.sha256[:12]}",
        description=f"{description} for {inspected.runtime}",
        hashes=[_sha256(contents.sha256)],
        licenses=[LicenseExpression(_LICENSE)],
    )
    parts = [_distribution(each, inspected.licenses) for each in contents.distributions]
    if contents.chalice:
        parts.append(_chalice(contents.chalice))
    document = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"sha256:{contents.sha256} {inspected.runtime}"),
        components=parts,
    )
    document.metadata.component = app
    # A time would make every bill another. The format asks for none; only its Python type does.
    document.metadata.timestamp = None  # type: ignore[assignment]
    document.register_dependency(app, parts)
    text: str = JsonV1Dot6(document).output_as_string(indent=2)
    return f"{text}\n"


def _distribution(distribution: Distribution, licenses: Licenses) -> Component:
    expression = licenses.license(distribution)
    url = PackageURL("pypi", None, distribution.name, distribution.version)
    hashes = [_sha256(distribution.sha256)] if distribution.sha256 else []
    return Component(
        name=distribution.name,
        version=distribution.version,
        purl=url,
        bom_ref=url.to_string(),
        hashes=hashes,
        licenses=[LicenseExpression(expression)] if expression else [],
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(f"https://pypi.org/project/{distribution.name}/{distribution.version}/"),
                comment=distribution.wheel,
            )
        ],
        components=[
            *_built_in(distribution),
            *(_file(each, url.to_string()) for each in distribution.compiled),
        ],
    )


def _built_in(distribution: Distribution) -> Iterator[Component]:
    """Yield what the distribution's own bills say was compiled into it."""
    for component in components(distribution):
        expression = declared(component)
        url: Any = component.get("purl")
        yield Component(
            name=component["name"],
            version=component.get("version"),
            purl=PackageURL.from_string(url) if url else None,
            bom_ref=f"{distribution.name}/{component.get('bom-ref') or component['name']}",
            licenses=[LicenseExpression(expression)] if expression else [],
        )


def _file(file: CompiledFile, owner: str) -> Component:
    return Component(
        name=file.name,
        type=ComponentType.FILE,
        bom_ref=f"{owner}#{file.name}",
        hashes=[_sha256(file.sha256)],
    )


def _chalice(version: str) -> Component:
    url = PackageURL("pypi", None, "chalice", version)
    return Component(
        name="chalice",
        version=version,
        purl=url,
        bom_ref=url.to_string(),
        description="chalice/app.py and chalice/__init__.py alone",
        licenses=[LicenseExpression("Apache-2.0")],
    )


def _sha256(content: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=content)
