"""Application load balancers that balance: a port each, health checks, draining.

AWS: a load balancer sends a request to one of the healthy targets of the target group, or to any
where none is healthy. It asks each target for the health check's path every interval; so many
answers in a row of the matcher's codes make a target healthy, so many others unhealthy. A
deregistered target gets no new requests and may answer those it has for the deregistration delay. A
target that does not answer is a 502, one that is too slow a 504, no target at all a 503. Sources,
Elastic Load Balancing, Application Load Balancers: "Health checks for Application Load Balancer
target groups", https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html,
and "Troubleshoot your Application Load Balancers",
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html.

MiniStack 1.5.33: sends requests, of the host name of the load balancer alone, to any target by
plain HTTP, and calls every target healthy.

The filler: a load balancer of CloudFormation listens on a port of its own of `localhost`, by plain
HTTP whatever its listener says, and its DNS name has that port. Rules, redirects and headers are
the emulator's. Targets are the instances that `instances` runs; other targets stay the emulator's.
Intervals and delays pass as much faster as alarm periods do; time-outs do not. Slow start,
stickiness, weights and access logs have no effect, and no metrics are written.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx
from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.core.arn import parse_arn
from ministack.core.responses import request_scope
from ministack.services import alb
from ministack.services.cloudformation import provisioners

from sandbox import background

if TYPE_CHECKING:
    from sandbox.gaps.resource_types import Attributes, Properties

HOST = "localhost"
# ELB's default idle time-out, for both sides, in seconds.
IDLE_TIMEOUT = 60.0
_HOP_BY_HOP = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)

_create = provisioners._elbv2_load_balancer_create
_update = provisioners._elbv2_load_balancer_update
_delete = provisioners._elbv2_load_balancer_delete
_forward_to_tg = alb._forward_to_tg


@dataclass
class Target:
    """A registered instance: where it listens, what its health checks said, what it is doing."""

    group: str
    instance: str
    port: int
    state: str = "initial"
    reason: str = "Elb.RegistrationInProgress"
    in_a_row: int = 0
    in_flight: int = 0
    checks: Any = field(default=None, repr=False)


class Front:
    """The server of one load balancer."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        entry = socket.socket()
        entry.bind(("127.0.0.1", 0))
        self.port = int(entry.getsockname()[1])
        # The server closes it. Closed twice, it would be another connection's by then.
        self._descriptor = entry.detach()
        self._stop: asyncio.Event
        self._served = background.run(self._start())

    def close(self) -> None:
        """Stop listening."""
        background.loop().call_soon_threadsafe(self._stop.set)

    async def _start(self) -> asyncio.Task[None]:
        self._stop = asyncio.Event()
        config = Config()
        config.bind = [f"fd://{self._descriptor}"]
        config.keep_alive_timeout = IDLE_TIMEOUT
        config.graceful_timeout = 1
        config.errorlog = None
        return asyncio.ensure_future(
            serve(self._answer, config, shutdown_trigger=self._stop.wait)  # type: ignore[arg-type]
        )

    async def _answer(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        status, headers, content = await self._dispatch(scope, body)
        raw = [
            (name.lower().encode(), str(value).encode("latin-1"))
            for name, values in headers.items()
            for value in (values if isinstance(values, list) else [values])
            if name.lower() not in _HOP_BY_HOP
        ]
        raw.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": content})

    async def _dispatch(self, scope: dict[str, Any], body: bytes) -> Any:
        arn = parse_arn(self.arn)
        headers = {
            name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        query = scope["query_string"].decode("latin-1")
        with request_scope(arn.account_id, arn.region):
            balancer = alb._lbs.get(self.arn)
            if balancer is None:
                return 503, {}, b""
            return await alb.dispatch_request(
                balancer,
                scope["method"],
                scope["path"],
                headers,
                body,
                parse_qs(query, keep_blank_values=True),
                entrance(self.arn),
                client_ip=(scope.get("client") or ["127.0.0.1"])[0],
                raw_query_string=query,
                raw_path=scope["raw_path"].decode("latin-1"),
            )


_fronts: dict[str, Front] = {}
_targets: dict[tuple[str, str], Target] = {}
_turns: dict[str, int] = {}
_lock = threading.Lock()
_scale = 1.0


def install(*, period_scale: float) -> None:
    """Wrap the emulator's own type and its data plane; times are divided by `period_scale`."""
    global _scale
    _scale = period_scale
    provisioners._elbv2_load_balancer_create = create
    provisioners._elbv2_load_balancer_delete = delete
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ElasticLoadBalancingV2::LoadBalancer"]
    handlers.update(create=create, update=update, delete=delete)
    alb._forward_to_tg = forward
    # It tells of each request, and health checks are many.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    alb._ACTION_MAP["DescribeTargetHealth"] = describe_target_health


def reset() -> None:
    """Stop listening and checking."""
    while _fronts:
        _fronts.popitem()[1].close()
    for target in list(_targets.values()):
        forget(target)


def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
    """Create the load balancer, and listen for it."""
    arn, attributes = _create(logical_id, properties, stack_name)
    front = _fronts[arn] = Front(arn)
    name = alb._lbs[arn]["DNSName"] = f"{HOST}:{front.port}"
    return arn, attributes | {"DNSName": name}


def update(
    arn: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None
) -> tuple[str, Attributes]:
    """Update it; it goes on listening where it does."""
    updated, attributes = _update(arn, old, new, stack_name, logical_id)
    return updated, attributes | {"DNSName": alb._lbs[updated]["DNSName"]}


def delete(arn: str, properties: Properties) -> None:
    """Delete it and stop listening."""
    _delete(arn, properties)
    if front := _fronts.pop(arn, None):
        front.close()


def entrance(balancer_arn: str) -> int:
    """The port of the listener that clients use: 443 where there is one, else any."""
    ports = {
        int(listener.get("Port", 80))
        for listener in alb._listeners.values()
        if listener["LoadBalancerArn"] == balancer_arn
    }
    return 443 if 443 in ports else min(ports, default=80)


def register(group_arn: str, instance: str, port: int) -> None:
    """Register an instance that listens on `port` of the loopback address, and check its health."""
    target = Target(group_arn, instance, port)
    with _lock:
        _targets[group_arn, instance] = target
    registered = alb._targets.setdefault(group_arn, [])
    registered.append({"Id": instance, "Port": alb._tgs[group_arn]["Port"]})
    target.checks = asyncio.run_coroutine_threadsafe(check(target), background.loop())


def deregister(group_arn: str, instance: str, *, drain: bool = True) -> None:
    """Send it no more requests, and wait for the answers it owes, for the delay at most."""
    target = _targets.get((group_arn, instance))
    if target is None:
        return
    with _lock:
        target.state, target.reason = "draining", "Target.DeregistrationInProgress"
    deadline = time.monotonic() + (_deregistration_delay(group_arn) / _scale if drain else 0)
    while target.in_flight and time.monotonic() < deadline:
        time.sleep(0.02)
    forget(target)


def forget(target: Target) -> None:
    """Stop checking a target, and take it off the list."""
    with _lock:
        _targets.pop((target.group, target.instance), None)
    target.checks.cancel()
    registered = alb._targets.get(target.group, [])
    registered[:] = [entry for entry in registered if entry["Id"] != target.instance]


def state(group_arn: str, instance: str) -> str:
    """The state of a target as DescribeTargetHealth names it; "unused" where it is none."""
    target = _targets.get((group_arn, instance))
    return target.state if target else "unused"


def _deregistration_delay(group_arn: str) -> float:
    attributes = {entry["Key"]: entry["Value"] for entry in alb._tg_attrs.get(group_arn, [])}
    return float(attributes.get("deregistration_delay.timeout_seconds", 300))


async def check(target: Target) -> None:
    """Ask the target for its health, interval by interval, until cancelled."""
    arn = parse_arn(target.group)
    async with httpx.AsyncClient(verify=False) as client:  # noqa: S501 - as ELB does
        while True:
            with request_scope(arn.account_id, arn.region):
                group = alb._tgs.get(target.group)
            if group is None:
                return
            reason = await _check_once(client, target, group)
            judge(target, reason, group)
            await asyncio.sleep(group["HealthCheckIntervalSeconds"] / _scale)


def judge(target: Target, reason: str | None, group: dict[str, Any]) -> None:
    """Take a check's outcome into account: None where it passed, else why it did not."""
    if target.state == "draining":
        return
    passed = reason is None
    if passed == (target.in_a_row >= 0):
        target.in_a_row += 1 if passed else -1
    else:
        target.in_a_row = 1 if passed else -1
    # The first check that passes makes a new target healthy.
    healthy_after = 1 if target.state == "initial" else group["HealthyThresholdCount"]
    if target.in_a_row >= healthy_after:
        target.state, target.reason = "healthy", ""
    elif -target.in_a_row >= group["UnhealthyThresholdCount"]:
        target.state, target.reason = "unhealthy", reason or ""


async def _check_once(
    client: httpx.AsyncClient, target: Target, group: dict[str, Any]
) -> str | None:
    url = f"{group['HealthCheckProtocol'].lower()}://127.0.0.1:{target.port}"
    try:
        answer = await client.get(
            url + group["HealthCheckPath"],
            headers={"User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"},
            timeout=group["HealthCheckTimeoutSeconds"],
        )
    except httpx.TimeoutException:
        return "Target.Timeout"
    except httpx.HTTPError:
        return "Target.FailedHealthChecks"
    matches = _matches(str(group["Matcher"]["HttpCode"]), answer.status_code)
    return None if matches else "Target.ResponseCodeMismatch"


def _matches(matcher: str, status: int) -> bool:
    """Whether a status is among codes such as "200,301" or "200-299"."""
    for part in matcher.split(","):
        first, _, last = part.partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False


def choose(group_arn: str) -> Target | None:
    """The target whose turn it is, of the healthy ones or, where there are none, of all.

    The request counts as on its way to it.
    """
    with _lock:
        registered = [
            target
            for (group, _), target in _targets.items()
            if group == group_arn and target.state != "draining"
        ]
        possible = [target for target in registered if target.state == "healthy"] or registered
        if not possible:
            return None
        turn = _turns[group_arn] = _turns.get(group_arn, -1) + 1
        target = possible[turn % len(possible)]
        target.in_flight += 1
        return target


async def forward(
    group_arn: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: Any,
    raw_query_string: str | None = None,
    raw_path: str | None = None,
) -> Any:
    """Send a request to a target of the group, each in its turn."""
    target = choose(group_arn)
    if target is None:
        return await _forward_to_tg(
            group_arn, method, path, headers, body, query_params, raw_query_string, raw_path
        )
    protocol = alb._tgs[group_arn]["Protocol"].lower()
    query = f"?{raw_query_string}" if raw_query_string else ""
    url = f"{protocol}://127.0.0.1:{target.port}{raw_path or path}{query}"
    sent = asyncio.run_coroutine_threadsafe(
        _send(target, method, url, headers, body), background.loop()
    )
    return await asyncio.wrap_future(sent)


_client: httpx.AsyncClient | None = None


def _connections() -> httpx.AsyncClient:
    global _client
    if _client is None:
        limits = httpx.Limits(keepalive_expiry=IDLE_TIMEOUT)
        _client = httpx.AsyncClient(verify=False, limits=limits)  # noqa: S501 - as ELB does
    return _client


async def _send(target: Target, method: str, url: str, headers: dict[str, str], body: bytes) -> Any:
    passed_on = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
    try:
        request = _connections().build_request(
            method, url, headers=passed_on, content=body, timeout=IDLE_TIMEOUT
        )
        answer = await _connections().send(request, stream=True)
        try:
            content = b"".join([chunk async for chunk in answer.aiter_raw()])
        finally:
            await answer.aclose()
    except httpx.TimeoutException:
        return 504, {"Content-Type": "text/html"}, b"<h1>504 Gateway Time-out</h1>"
    except httpx.HTTPError:
        return 502, {"Content-Type": "text/html"}, b"<h1>502 Bad Gateway</h1>"
    finally:
        with _lock:
            target.in_flight -= 1
    given: dict[str, list[str]] = {}
    for name, value in answer.headers.multi_items():
        given.setdefault(name, []).append(value)
    return answer.status_code, given, content


def describe_target_health(parameters: dict[str, Any]) -> Any:
    """The targets of a group with their states and reasons."""
    group_arn = alb._p(parameters, "TargetGroupArn")
    group = alb._tgs.get(group_arn)
    if group is None:
        return alb._error("TargetGroupNotFound", f"Target group '{group_arn}' not found.")
    wanted = {entry["Id"] for entry in alb._parse_targets_param(parameters)}
    members = ""
    for entry in alb._targets.get(group_arn, []):
        if wanted and entry["Id"] not in wanted:
            continue
        target = _targets.get((group_arn, entry["Id"]))
        described = target.state if target else "healthy"
        reason = f"<Reason>{target.reason}</Reason>" if target and target.reason else ""
        members += (
            f"<member><Target><Id>{entry['Id']}</Id>"
            f"<Port>{entry.get('Port', group['Port'])}</Port></Target>"
            f"<TargetHealth><State>{described}</State>{reason}</TargetHealth></member>"
        )
    return alb._xml(
        200,
        "DescribeTargetHealth",
        f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>",
    )
