"""The tour: every part used with real input, and what that showed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import status
from sandbox.tour import crud_api, image_api, monitoring, webtier
from sandbox.tour.context import Context
from sandbox.tour.report import Report

if TYPE_CHECKING:
    from sandbox.emulator import Emulator


def run(emulator: Emulator) -> bool:
    """Take every step, print the table; whether all of them passed."""
    context = Context(emulator, status.collect(emulator))
    report = Report()
    for part in (image_api, crud_api, webtier, monitoring):
        part.tour(context, report)
    return report.table()
