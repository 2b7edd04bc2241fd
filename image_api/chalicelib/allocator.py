"""Keeps the memory of one picture for the next one, in the process that decodes.

A picture lies in blocks of up to 16 MB. glibc gives freed blocks of that size back to the system,
and the system hands out others page by page, each cleared at its first touch: a fifth of the time
of four renditions goes into that, and every picture and every resize pays it anew. A process of its
own, as a Lambda function is, has no one to give the memory back to.
"""

from __future__ import annotations

import ctypes
from functools import cache

# mallopt(3) and malloc.h of glibc.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
# Larger pieces are of unusual sizes (the rows a resize passes on), and kept ones would leave gaps.
# It is also the most that glibc takes for it on 64-bit systems.
MAPPED_FROM = 32 * 2**20
# What stays for the next picture, of all that was freed.
KEPT = 256 * 2**20


@cache
def keep_freed_memory() -> bool:
    """Have the C library keep freed memory for the next allocation; False where it cannot.

    The most memory the process takes stays what it was. Once is enough, and more changes nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # pragma: no cover  # musl, macOS
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM) and mallopt(_M_TRIM_THRESHOLD, KEPT))
