"""Who made a request, as API Gateway has checked it."""

from chalice.app import Request


def caller(request: Request) -> str:
    """Return a name of who made the request, the same in all their requests; "" for anybody.

    With IAM that is the ARN of the user or role. The session of an assumed role is left out: a
    client that renews its credentials stays who it is ("IAM identifiers", AWS IAM User Guide). With
    Cognito it is the issuer and subject of the token, which together name one user for ever
    (OpenID Connect Core 1.0, section 5.7).
    """
    context = request.context
    claims = (context.get("authorizer") or {}).get("claims")
    if claims:
        return f"{claims['iss']}#{claims['sub']}"
    arn = context.get("identity", {}).get("userArn") or ""
    kind, _, name = arn.rpartition(":")
    if name.startswith("assumed-role/"):
        name = name.rpartition("/")[0]
    return f"{kind}:{name}" if arn else ""
