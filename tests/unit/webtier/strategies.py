"""Random options, and the templates of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from webtier import build, options
from webtier.options import Architecture, Database, Nat, Options, ScheduledMinimum

Resources = dict[str, Any]

_TYPES = {
    Architecture.ARM64: ("c6g.medium", "m7g.large", "r8g.large", "t4g.large"),
    Architecture.X86_64: ("c5.large", "m5d.large", "m7i-flex.large", "t3a.large"),
}
_CRON = st.builds(
    "{} {} * * {}".format, st.integers(0, 59), st.integers(0, 23), st.sampled_from("*0123456")
)


@st.composite
def private_ranges(draw: st.DrawFn) -> IPv4Network:
    prefix = draw(st.integers(16, 22))
    parent = draw(st.sampled_from(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]))
    private = IPv4Network(parent)
    position = draw(st.integers(0, 2 ** (prefix - private.prefixlen) - 1))
    address = int(private.network_address) + position * 2 ** (32 - prefix)
    return IPv4Network((address, prefix))


@st.composite
def any_options(draw: st.DrawFn) -> Options:
    architecture = draw(st.sampled_from(Architecture))
    spot_percent = draw(st.sampled_from((0, 1, 50, 100)))
    types = st.lists(st.sampled_from(_TYPES[architecture]), unique=True).map(tuple)
    storage = draw(st.integers(20, 1000))
    return Options(
        zones=draw(st.sampled_from(options.ZONES)),
        vpc_cidr=draw(private_ranges()),
        nat=draw(st.sampled_from(Nat)),
        plain_http=draw(st.booleans()),
        firewall=draw(st.booleans()),
        architecture=architecture,
        spot_percent=spot_percent,
        spot_types=draw(types) if spot_percent else (),
        schedule=tuple(
            ScheduledMinimum(recurrence, draw(st.integers(2, 50)))
            for recurrence in draw(st.lists(_CRON, max_size=3, unique=True))
        ),
        database=draw(st.sampled_from(Database)),
        storage_gib=storage,
        max_storage_gib=draw(st.integers(-(-storage * 11 // 10), 65_536)),
        backup_days=draw(st.integers(*options.BACKUP_DAYS)),
        log_days=draw(st.sampled_from(options.LOG_DAYS)),
        deletion_protection=draw(st.booleans()),
    )


@functools.lru_cache(maxsize=64)
def resources_of(chosen: Options) -> Resources:
    resources: Resources = build.template(chosen).to_dict()["Resources"]
    return resources


def for_any_options(test: Callable[..., None]) -> Callable[[], None]:
    """Runs a test for random `options`, the `resources` of their template, or both."""
    wanted = inspect.signature(test).parameters.keys()

    @settings(max_examples=10, deadline=None)
    @given(chosen=any_options())
    def run(chosen: Options) -> None:
        arguments = {"options": chosen, "resources": resources_of(chosen)}
        test(**{name: arguments[name] for name in wanted})

    # hypothesis names what it found after the function.
    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    return run
