"""Fills the gaps between MiniStack and AWS that the four parts touch.

Each module restores one AWS behaviour, names the AWS document that describes it, says what
MiniStack does instead, and is installed once, before the emulator serves. They replace private
functions of the emulator, so they are bound to one version of it.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SUPPORTED_VERSION = "1.5.33"


def check_version() -> None:
    """Raise RuntimeError where the installed MiniStack is not the supported version."""
    installed = version("ministack")
    if installed != SUPPORTED_VERSION:
        raise RuntimeError(
            f"MiniStack {installed} is installed, but the sandbox needs {SUPPORTED_VERSION}. "
            "Run `make setup`."
        )


def install(*, lambda_python: Path, alarm_period_scale: float) -> None:
    """Install every filler into this process's MiniStack.

    `lambda_python` is the interpreter that functions run under. Alarm periods are divided by
    `alarm_period_scale`: with 30, a period of 60 seconds passes in two.

    Raises RuntimeError as `check_version` does.
    """
    check_version()
    # Imported here: MiniStack reads its settings when it is imported, and its version comes first.
    from sandbox.gaps import (
        access_logs,
        alarms,
        asynchronous,
        authorization,
        blocking_types,
        bucket_import,
        composite_alarms,
        custom_resources,
        database_events,
        database_servers,
        databases,
        default_groups,
        deliveries,
        encryption,
        events,
        firewall_types,
        functions,
        gateway_access,
        instances,
        lifecycle_hooks,
        load_balancers,
        machine_images,
        missing_objects,
        network_types,
        oam,
        permissions,
        queue_metrics,
        rest_api,
        throttling,
        transport,
        usage_plans,
    )

    transport.install()
    authorization.install()
    permissions.install()
    encryption.install()
    missing_objects.install()
    functions.install(python=lambda_python)
    asynchronous.install()
    rest_api.install()
    access_logs.install()
    gateway_access.install()
    usage_plans.install()
    events.install()
    deliveries.install(period_scale=alarm_period_scale)
    network_types.install()
    default_groups.install()
    custom_resources.install()
    firewall_types.install()
    machine_images.install()
    bucket_import.install()
    blocking_types.install()
    databases.install()
    database_events.install()
    database_servers.install(period_scale=alarm_period_scale)
    load_balancers.install(period_scale=alarm_period_scale)
    lifecycle_hooks.install()
    instances.install(period_scale=alarm_period_scale)
    oam.install()
    composite_alarms.install(period_scale=alarm_period_scale)
    alarms.install(period_scale=alarm_period_scale)
    queue_metrics.install(period_scale=alarm_period_scale)
    _reset_with_emulator(
        oam.reset,
        alarms.reset,
        composite_alarms.reset,
        database_events.reset,
        throttling.reset,
        stop_machines,
    )


def stop_machines() -> None:
    """End what runs outside of this process: instances, databases, what listens for them."""
    from sandbox.gaps import database_servers, instances, load_balancers

    instances.reset()
    load_balancers.reset()
    database_servers.reset()


def _reset_with_emulator(*forget: Callable[[], None]) -> None:
    """Make POST /_ministack/reset forget what the fillers keep, too."""
    from ministack import app

    reset_emulator = app._reset_all_state

    def reset() -> None:
        reset_emulator()
        for function in forget:
            function()

    app._reset_all_state = reset
