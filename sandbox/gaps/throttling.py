"""Throttling of an API's stage.

AWS: API Gateway counts the requests to each method of a stage in a token bucket: `rateLimit` tokens
a second are added, up to `burstLimit`; a request that finds none gets the gateway response
THROTTLED. Source: Amazon API Gateway developer guide, "Throttle requests to your REST APIs for
better throughput in API Gateway",
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html.

MiniStack 1.5.33: keeps the settings and counts nothing.

The filler: one bucket a stage for the settings of all its methods; those of single methods are left
out, and so are the limits of the account.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from ministack.services import apigateway_v1

_buckets: dict[tuple[str, str], tuple[float, float]] = {}
_lock = threading.Lock()


def admits(api_id: str, stage_name: str) -> bool:
    """Take a token for one request; False where there is none."""
    scope = apigateway_v1.find_api_scope(api_id)
    stages = apigateway_v1._stages_v1.get_scoped(*scope, api_id) if scope else None
    settings: dict[str, Any] = ((stages or {}).get(stage_name) or {}).get("methodSettings") or {}
    limits = settings.get("*/*") or {}
    rate, burst = limits.get("throttlingRateLimit"), limits.get("throttlingBurstLimit")
    # -1 stands for the account's own limit.
    if rate is None or burst is None or float(rate) < 0:
        return True
    now, key = time.monotonic(), (api_id, stage_name)
    with _lock:
        tokens, at = _buckets.get(key, (float(burst), now))
        tokens = min(float(burst), tokens + (now - at) * float(rate))
        admitted = tokens >= 1
        _buckets[key] = (tokens - admitted, now)
    return admitted


def reset() -> None:
    """Forget what was counted."""
    _buckets.clear()
