"""Have Chalice pack files in the order of their names.

The order a folder gives them in differs from machine to machine, and so would the packages, and the
names that Chalice's cache has them under. The programs that run Chalice run this file first.
"""

from collections.abc import Iterator

from chalice.utils import OSUtils

_walk = OSUtils.walk


def install() -> None:
    """Sort what Chalice finds in a folder, in this process."""
    OSUtils.walk = _walk_sorted  # type: ignore[method-assign]


def _walk_sorted(
    self: OSUtils, path: str, followlinks: bool = False
) -> Iterator[tuple[str, list[str], list[str]]]:
    for root, folders, files in _walk(self, path, followlinks):
        folders.sort()
        yield root, folders, sorted(files)
