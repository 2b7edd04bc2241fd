"""Who may call an API with AWS_IAM: its own account, and whom its resource policy names.

AWS: a caller of the API's account needs an Allow in its own policies or in the API's resource
policy, a caller of another account in both. Who lacks it gets the gateway response ACCESS_DENIED.
Sources, Amazon API Gateway developer guide: "How API Gateway resource policies affect authorization
workflow",
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html, and
"Gateway response types for API Gateway",
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html.

MiniStack 1.5.33: lets the root of every account in, looks for the API under the caller's account,
and answers a refusal in the form of an AWS service instead of the API's.

The filler: the decision about the API as its owner's, and the API's own answer.
"""

from __future__ import annotations

from typing import Any

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.arn import execute_api_arn
from ministack.core.responses import get_account_id
from ministack.core.router import extract_access_key_id
from ministack.services import apigateway_v1

from sandbox.gaps.rest_api import GatewayError, gateway_response

_enforce_execute_api = app._enforce_execute_api
ACTION = "execute-api:Invoke"


def install() -> None:
    """Take over the decision on a call, and find the API that is called whoever calls it."""
    app._enforce_execute_api = enforce_execute_api
    apigateway_v1.find_api_scope = find_api_scope


def find_api_scope(api_id: str) -> tuple[str, str] | None:
    """The account and region of an API: its address names it alone, not the caller's account."""
    for (account, region, stored_id), _ in apigateway_v1._rest_apis.all_items():
        if stored_id == api_id:
            return account, region
    return None


def enforce_execute_api(
    api_id: str,
    stage: str,
    method: str,
    path: str,
    headers: dict[str, str],
    query: dict[str, Any],
    iam_action: str = ACTION,
) -> Any:
    """The answer to a call that is refused; None where it may go on."""
    scope = apigateway_v1.find_api_scope(api_id)
    kind = apigateway_v1.method_authorization_type(api_id, stage, method, path)
    if scope is None or iam_action != ACTION or kind != "AWS_IAM":
        return _enforce_execute_api(api_id, stage, method, path, headers, query, iam_action)
    account, region = scope
    key = extract_access_key_id(headers, query)
    arn = execute_api_arn(region, account, api_id, stage, method, path)
    denied = iam_evaluator.enforce(key, ACTION, "apigateway", region, resource_arn=arn)
    if isinstance(denied, iam_evaluator.AuthError) or not key:
        # Not signed, or not well: the emulator has the answers.
        return _enforce_execute_api(api_id, stage, method, path, headers, query, iam_action)
    principal = iam_evaluator.resolve_principal(key, get_account_id())
    if denied is None and (principal.account == account or let_in(principal, arn, region)):
        return None
    shown = arn.replace(f":{account}:", f":********{account[-4:]}:")
    text = f"User: {principal.arn} is not authorized to perform: {ACTION} on resource: {shown}"
    refusal = GatewayError("ACCESS_DENIED", text, "AccessDeniedException")
    return gateway_response(refusal, api_id, stage, path, headers, query)


def let_in(principal: Any, arn: str, region: str) -> bool:
    """Whether the resource policy of an API lets a caller of another account in."""
    context = iam_evaluator.EvalContext(
        principal.arn, principal.type, principal.account, ACTION, arn, region
    )
    policy, _ = apigateway_v1.rest_api_policy_for_arn(arn)
    return bool(iam_evaluator.evaluate_resource_policy(policy, context).decision == "Allow")
