"""The settings of a stage that say who may call its API."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalice.app import Authorizer, CognitoUserPoolAuthorizer, IAMAuthorizer

MODES = ("iam", "cognito", "none")

OPEN_STAGE = "local"
"""The stage that may let pages of every origin in."""

CLOSED_STAGE = "prod"
"""The stage that may not be open to everybody."""

_USER_POOL = re.compile(r"arn:aws[\w-]*:cognito-idp:[a-z0-9-]+:\d{12}:userpool/[\w-]+_[0-9a-zA-Z]+")
# RFC 6454, section 6.2. A page of this machine is served without TLS while it is developed.
_ORIGIN = re.compile(
    r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?|http://(localhost|127\.0\.0\.1)(:\d{1,5})?"
)


class AccessError(ValueError):
    """A setting would open the API by mistake, or cannot work; the message says what to do."""


@dataclass(frozen=True)
class Access:
    """Who may call the API.

    `mode` is "iam" (requests signed with Signature Version 4), "cognito" (a token of one of
    `user_pools`, which are ARNs) or "none" (anybody). With `scopes` a token needs one of them,
    which only access tokens have. `cors_origin` is the origin whose pages may call the API: "*"
    for all, None for none.
    """

    mode: str
    user_pools: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    cors_origin: str | None = None

    def authorizer(self) -> Authorizer | None:
        """Return what Chalice has API Gateway check, None where everybody may call."""
        if self.mode == "iam":
            return IAMAuthorizer()
        if self.mode == "cognito":
            return CognitoUserPoolAuthorizer(
                "UserPool", provider_arns=list(self.user_pools), scopes=list(self.scopes)
            )
        return None


def access_of(environ: Mapping[str, str]) -> Access:
    """Read API_AUTH, USER_POOL_ARNS, API_SCOPES, CORS_ORIGIN and STAGE. Raises AccessError."""
    stage = environ.get("STAGE", "")
    mode = environ.get("API_AUTH", "iam")
    if mode not in MODES:
        raise AccessError(f"API_AUTH is {mode!r}; it must be one of {', '.join(MODES)}")
    # A stage in another region has its name with an ending.
    if mode == "none" and stage.partition("-")[0] == CLOSED_STAGE:
        raise AccessError(f"API_AUTH is 'none'; at the stage {stage} it must be iam or cognito")
    user_pools = tuple(environ.get("USER_POOL_ARNS", "").split())
    scopes = tuple(environ.get("API_SCOPES", "").split())
    if mode == "cognito" and not user_pools:
        raise AccessError("API_AUTH is 'cognito'; set USER_POOL_ARNS to the user pools it trusts")
    if mode != "cognito" and (user_pools or scopes):
        raise AccessError(
            f"API_AUTH is {mode!r}; USER_POOL_ARNS and API_SCOPES are for 'cognito' and would have "
            "no effect: take them out"
        )
    for arn in user_pools:
        if _USER_POOL.fullmatch(arn) is None:
            raise AccessError(
                f"USER_POOL_ARNS has {arn!r}; a user pool is "
                "arn:aws:cognito-idp:REGION:ACCOUNT:userpool/ID"
            )
    return Access(mode, user_pools, scopes, _cors_origin(environ.get("CORS_ORIGIN", ""), stage))


def _cors_origin(origin: str, stage: str) -> str | None:
    if origin == "*" and stage != OPEN_STAGE:
        raise AccessError(
            f"CORS_ORIGIN is '*'; it may be at the stage {OPEN_STAGE} alone, where STAGE is "
            f"'{OPEN_STAGE}': name the one origin whose pages call the API"
        )
    if origin not in ("", "*") and _ORIGIN.fullmatch(origin) is None:
        raise AccessError(
            f"CORS_ORIGIN is {origin!r}; an origin is https://HOST or https://HOST:PORT, in lower "
            "case and without a path"
        )
    return origin or None
