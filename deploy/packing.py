"""Have Chalice make the same package everywhere, from pinned wheels, and none that is not fit.

The programs that run Chalice 1.34 install this first. The order a folder gives its files in differs
from machine to machine, and so would the packages, and the names that Chalice's cache has them
under; bytecode comes and goes. `deploy.wheels` says what is better than Chalice's way to wheels.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from chalice.deploy.packager import DependencyBuilder, LambdaDeploymentPackager, Package
from chalice.utils import OSUtils

from deploy import inspection, wheels
from deploy.errors import DeployError, PackageError
from deploy.runtime import Runtime

_BYTECODE = "__pycache__"
_inspected: set[str] = set()
_walk = OSUtils.walk
_create_package = LambdaDeploymentPackager.create_deployment_package


def install() -> None:
    """Change how Chalice packs, in this process.

    Chalice has no place to hand these in at, so its classes take them, which no type checker likes.
    """
    OSUtils.walk = _walk_sorted  # type: ignore[method-assign]
    DependencyBuilder.build_site_packages = (  # type: ignore[method-assign]
        _PinnedWheels.build_site_packages  # type: ignore[assignment]
    )
    LambdaDeploymentPackager.create_deployment_package = (  # type: ignore[method-assign]
        _Inspected.create_deployment_package  # type: ignore[assignment]
    )


def _walk_sorted(
    self: OSUtils, path: str, followlinks: bool = False
) -> Iterator[tuple[str, list[str], list[str]]]:
    for root, folders, files in _walk(self, path, followlinks):
        folders[:] = sorted(each for each in folders if each != _BYTECODE)
        yield root, folders, sorted(files)


class _PinnedWheels(DependencyBuilder):
    def build_site_packages(
        self, abi: str, requirements_filepath: str, target_directory: str
    ) -> None:
        """Fill the folder with what the wheels have that the requirements pin for the runtime."""
        names = {machine: name for name, machine in self._ARCHITECTURE_TO_MACHINE.items()}
        runtime = Runtime(f"{abi[2]}.{abi[3:]}", names[self._machine])
        try:
            pinned = wheels.pinned(Path(requirements_filepath), runtime)
            if not pinned:
                return
            with tempfile.TemporaryDirectory() as folder:
                found = wheels.download(pinned, runtime, Path(folder))
                # In their order: of files with the same name the last one stays.
                packages = [Package(folder, wheel.name) for wheel in found]
                # Chalice's sets have no order, and it only iterates over them.
                self._install_wheels(folder, target_directory, packages)  # type: ignore[arg-type]
                listing = wheels.listing(found)
            (Path(target_directory) / wheels.LIST).write_text(listing, encoding="utf-8")
        except PackageError as error:
            raise _refused(error) from error


class _Inspected(LambdaDeploymentPackager):
    def create_deployment_package(self, project_dir: str, python_version: str) -> str:
        """Make the package, check it and write its bill of materials beside it."""
        package = _create_package(self, project_dir, python_version)
        # Chalice asks once for each function, and they have the same one.
        if package not in _inspected:
            runtime = Runtime(python_version.removeprefix("python"), self._architecture)
            _inspect(Path(package), Path(project_dir), runtime)
            _inspected.add(package)
        return package


def _inspect(package: Path, project: Path, runtime: Runtime) -> None:
    # Half a second of imports, which is for those alone that make a package.
    from deploy import bill

    try:
        inspected = inspection.inspect(package, project / "requirements.txt", runtime)
    except DeployError as error:
        raise _refused(error) from error
    bill.write(inspected, project.resolve().name, package)


def _refused(error: DeployError) -> SystemExit:
    # `deploy.chalice` finds the reason after these words; Chalice would write a traceback.
    return SystemExit("\n".join([f"ERROR - {error}", *error.details]))
