"""What a stage sets at API Gateway beyond Chalice: gateway responses, throttling, logs, usage plan.

Chalice 1.34 has no setting for these, and each `chalice deploy` overwrites the API's definition, so
they are applied again after it. What is right already is not touched.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from deploy.errors import SettingsError

_NUMBERS = {"rate_limit": float, "burst_limit": int}
_ACCOUNT = re.compile(r"\d{12}")
_PERIODS = ("DAY", "WEEK", "MONTH")


@dataclass(frozen=True)
class Throttle:
    """Requests a second, and requests at once (API Gateway's token bucket)."""

    rate_limit: float
    burst_limit: int


@dataclass(frozen=True)
class UsagePlan:
    """The limits of each API key: its throttle, and `quota` requests a `period`."""

    throttle: Throttle
    quota: int
    period: str


@dataclass(frozen=True)
class Callers:
    """Who may call the API beyond what its routes check.

    `accounts` are other accounts whose roles may call a signed API, where their own policies let
    them. `networks` are the address ranges calls have to come from; none is everywhere.
    """

    accounts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class GatewaySettings:
    """The table `gateway` of a stage in stages.toml."""

    throttle: Throttle | None = None
    usage_plan: UsagePlan | None = None
    callers: Callers | None = None

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "GatewaySettings":
        """Read the table. Raises SettingsError: a key is unknown or missing, or a value wrong."""
        _refuse_unknown(table, {"callers", "throttle", "usage_plan"}, "gateway")
        throttle, plan = table.get("throttle"), table.get("usage_plan")
        callers = table.get("callers")
        return cls(
            None if throttle is None else _throttle(throttle, "gateway.throttle"),
            None if plan is None else _usage_plan(plan),
            None if callers is None else _callers(callers),
        )

    def resource_policy(self, auth: str) -> dict[str, Any] | None:
        """Return the API's resource policy, None where the stage says nothing of callers.

        `auth` is the stage's API_AUTH. What it allows and denies is combined with what the routes
        check: "How API Gateway resource policies affect authorization workflow", Amazon API Gateway
        Developer Guide. Raises SettingsError: accounts are named, but calls are not signed.
        """
        if self.callers is None:
            return None
        accounts, networks = self.callers.accounts, list(self.callers.networks)
        if accounts and auth != "iam":
            raise SettingsError(
                f"gateway.callers.accounts in stages.toml needs signed calls; API_AUTH is {auth!r}"
            )
        invoke = {"Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
        within = {"IpAddress": {"aws:SourceIp": networks}}
        statements: list[dict[str, Any]] = []
        if accounts:
            roots = [f"arn:aws:iam::{account}:root" for account in accounts]
            statements.append(
                {"Sid": "Accounts", "Effect": "Allow", "Principal": {"AWS": roots}, **invoke}
            )
        if networks and auth != "iam":
            # With a policy, a call that nobody signed needs an Allow of it.
            statements.append(
                {"Sid": "Networks", "Effect": "Allow", "Principal": "*", **invoke}
                | {"Condition": within}
            )
        if networks:
            statements.append(
                {"Sid": "NoOthers", "Effect": "Deny", "Principal": "*", **invoke}
                | {"Condition": {"NotIpAddress": {"aws:SourceIp": networks}}}
            )
        return {"Version": "2012-10-17", "Statement": statements}


class Gateway:
    """The stage of a REST API. `client` is boto3's apigateway client."""

    def __init__(self, client: Any, rest_api_id: str, stage: str) -> None:
        self._client = client
        self._api = {"restApiId": rest_api_id}
        self._stage = stage

    def set_responses(self, wanted: Mapping[str, Mapping[str, Any]]) -> int:
        """Make the gateway responses the wanted ones, deploy them, return how many changed."""
        changed = self._changed_responses(wanted)
        for kind in changed:
            self._client.put_gateway_response(**self._api, responseType=kind, **wanted[kind])
        if changed:
            self._client.create_deployment(**self._api, stageName=self._stage)
        return len(changed)

    def set_stage(
        self, throttle: Throttle | None, access_log: str | None, log_format: str
    ) -> list[str]:
        """Set throttling, metrics and the access log of the stage, return what changed.

        `access_log` is the ARN of a log group (None: no access log).
        """
        changes = self._stage_changes(throttle, access_log, log_format)
        if changes:
            self._client.update_stage(
                **self._api,
                stageName=self._stage,
                patchOperations=[
                    {"op": "replace", "path": path, "value": _patch_value(value)}
                    for path, value in changes
                ],
            )
        return [path for path, _ in changes]

    def pending(
        self,
        responses: Mapping[str, Mapping[str, Any]],
        throttle: Throttle | None,
        access_log: str | None,
        log_format: str,
    ) -> tuple[str, ...]:
        """Return what `set_responses` and `set_stage` would change; all of it without a stage."""
        try:
            paths = [path for path, _ in self._stage_changes(throttle, access_log, log_format)]
        except self._client.exceptions.NotFoundException:
            paths = ["stage"]
        kinds = self._changed_responses(responses)
        return (*(f"gateway response {kind}" for kind in kinds), *paths)

    def _changed_responses(self, wanted: Mapping[str, Mapping[str, Any]]) -> list[str]:
        found = {
            response["responseType"]: response
            for response in self._client.get_gateway_responses(**self._api, limit=500)["items"]
        }
        return [
            kind
            for kind, response in wanted.items()
            if any(found[kind].get(key) != value for key, value in response.items())
        ]

    def _stage_changes(
        self, throttle: Throttle | None, access_log: str | None, log_format: str
    ) -> list[tuple[str, Any]]:
        stage = self._client.get_stage(**self._api, stageName=self._stage)
        methods = stage.get("methodSettings", {}).get("*/*", {})
        log = stage.get("accessLogSettings", {})
        wanted: list[tuple[str, Any, Any]] = [
            ("/*/*/metrics/enabled", methods.get("metricsEnabled"), True)
        ]
        if throttle is not None:
            wanted += [
                (
                    "/*/*/throttling/rateLimit",
                    methods.get("throttlingRateLimit"),
                    throttle.rate_limit,
                ),
                (
                    "/*/*/throttling/burstLimit",
                    methods.get("throttlingBurstLimit"),
                    throttle.burst_limit,
                ),
            ]
        if access_log is not None:
            wanted += [
                ("/accessLogSettings/destinationArn", log.get("destinationArn"), access_log),
                ("/accessLogSettings/format", log.get("format"), log_format),
            ]
        return [(path, value) for path, current, value in wanted if current != value]

    def set_usage_plan(self, name: str, plan: UsagePlan) -> bool:
        """Make the usage plan of this name, or change its limits; return whether it did."""
        limits: dict[str, dict[str, Any]] = {
            "throttle": {
                "rateLimit": plan.throttle.rate_limit,
                "burstLimit": plan.throttle.burst_limit,
            },
            "quota": {"limit": plan.quota, "period": plan.period},
        }
        found = _usage_plan_named(self._client, name)
        stage = {"apiId": self._api["restApiId"], "stage": self._stage}
        if found is None:
            self._client.create_usage_plan(name=name, apiStages=[stage], **limits)
            return True
        operations = [
            {"op": "replace", "path": f"/{part}/{key}", "value": str(value)}
            for part, values in limits.items()
            for key, value in values.items()
            if found.get(part, {}).get(key) != value
        ]
        if not any({**stage, **attached} == attached for attached in found.get("apiStages", ())):
            # The API was deleted and deployed again: its plan has to learn the new one.
            operations.append(
                {"op": "add", "path": "/apiStages", "value": ":".join(stage.values())}
            )
        if operations:
            self._client.update_usage_plan(usagePlanId=found["id"], patchOperations=operations)
        return bool(operations)


def delete_usage_plan(client: Any, name: str) -> bool:
    """Delete the usage plan of this name, return whether there was one. Its API is gone before."""
    plan = _usage_plan_named(client, name)
    if plan is not None:
        client.delete_usage_plan(usagePlanId=plan["id"])
    return plan is not None


def _usage_plan_named(client: Any, name: str) -> Any:
    for page in client.get_paginator("get_usage_plans").paginate():
        for plan in page["items"]:
            if plan["name"] == name:
                return plan
    return None


def _patch_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _throttle(table: object, name: str) -> Throttle:
    if not isinstance(table, dict):
        raise SettingsError(f"{name} in stages.toml is not a table")
    _refuse_unknown(table, _NUMBERS.keys(), name)
    for key in _NUMBERS:
        _positive(table.get(key), f"{name}.{key}")
    return Throttle(float(table["rate_limit"]), int(table["burst_limit"]))


def _usage_plan(table: object) -> UsagePlan:
    name = "gateway.usage_plan"
    if not isinstance(table, dict):
        raise SettingsError(f"{name} in stages.toml is not a table")
    _refuse_unknown(table, {*_NUMBERS, "quota", "period"}, name)
    throttle = _throttle({key: table.get(key) for key in _NUMBERS}, name)
    _positive(table.get("quota"), f"{name}.quota")
    if table.get("period") not in _PERIODS:
        raise SettingsError(f"{name}.period in stages.toml must be one of {', '.join(_PERIODS)}")
    return UsagePlan(throttle, int(table["quota"]), table["period"])


def _callers(table: object) -> Callers:
    name = "gateway.callers"
    if not isinstance(table, dict):
        raise SettingsError(f"{name} in stages.toml is not a table")
    _refuse_unknown(table, {"accounts", "networks"}, name)
    accounts, networks = table.get("accounts", []), table.get("networks", [])
    for key, values in (("accounts", accounts), ("networks", networks)):
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise SettingsError(f"{name}.{key} in stages.toml must be a list of texts")
    if not accounts and not networks:
        raise SettingsError(f"{name} in stages.toml names nobody: set accounts, networks or both")
    for account in accounts:
        if _ACCOUNT.fullmatch(account) is None:
            raise SettingsError(f"{name}.accounts: {account!r} is no account of 12 digits")
    for network in networks:
        try:
            ip_network(network)
        except ValueError as error:
            raise SettingsError(f"{name}.networks: {error}") from error
    return Callers(tuple(accounts), tuple(networks))


def _positive(value: object, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise SettingsError(f"{name} in stages.toml must be a number above 0, not {value!r}")


def _refuse_unknown(table: Mapping[str, Any], known: Any, name: str) -> None:
    if unknown := sorted(table.keys() - set(known)):
        raise SettingsError(
            f"{name} in stages.toml has no setting {', '.join(unknown)}; "
            f"its settings are {', '.join(sorted(known))}"
        )
