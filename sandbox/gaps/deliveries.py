"""SNS deliveries: retries by the delivery policy, and the dead-letter queue of a subscription.

AWS: a delivery to an HTTP(S) endpoint that fails at the server (no answer, 5xx, 429) is tried again
as the delivery policy of the subscription, else of the topic, says: by default three times, 20
seconds apart. What fails at the client (another 4xx, a queue that is gone or refuses) is not tried
again. What cannot be delivered goes to the dead-letter queue of the subscription's redrive policy,
or is lost. A subscription that CloudFormation makes has to be confirmed like any other. Sources,
Amazon SNS developer guide: "Amazon SNS message delivery retries",
https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html, and "Amazon SNS
dead-letter queues", https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html.

MiniStack 1.5.33: tries once, and drops what is not delivered; CloudFormation's HTTP(S)
subscriptions get no request for confirmation and can never be confirmed.

The filler: the retries, with delays divided by the scale given to `install`, and the queue after
them. How delays grow in the backoff phase is documented as a chart only: here they are spread
evenly (linear, arithmetic) or by a constant factor (geometric, exponential). There is no jitter. On
a loopback address every certificate is trusted: no authority issues one for it.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from ministack.core.arn import parse_arn
from ministack.core.responses import new_uuid, request_scope
from ministack.services import sns, sqs
from ministack.services.cloudformation import provisioners

from sandbox.gaps import asynchronous

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

SERVICE = "sns.amazonaws.com"
TIMEOUT = 15.0
"""Seconds an endpoint has to answer."""

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

_fanout = sns._fanout
_deliver_to_sqs = sns._deliver_to_sqs
_scale = 1.0
_topic: ContextVar[str] = ContextVar("sandbox_sns_topic", default="")


class ClientError(Exception):
    """The endpoint is there, and will not take the message at another time either."""


@dataclass(frozen=True)
class Policy:
    """A healthy retry policy: how often, and how many seconds apart."""

    retries: int = 3
    no_delay: int = 0
    min_delay: int = 0
    max_delay: int = 0
    minimum: float = 20
    maximum: float = 20
    backoff: str = "linear"

    def delays(self) -> list[float]:
        """The seconds before each retry: at once, pre-backoff, backoff, post-backoff."""
        growing = max(self.retries - self.no_delay - self.min_delay - self.max_delay, 0)
        return [
            *[0.0] * self.no_delay,
            *[self.minimum] * self.min_delay,
            *(self._grown(step / max(growing - 1, 1)) for step in range(growing)),
            *[self.maximum] * self.max_delay,
        ][: self.retries]

    def _grown(self, share: float) -> float:
        if self.backoff in ("geometric", "exponential"):
            return float(self.minimum * (self.maximum / self.minimum) ** share)
        return self.minimum + (self.maximum - self.minimum) * share


def install(*, period_scale: float) -> None:
    """Take over deliveries to queues and HTTP(S) endpoints."""
    global _scale
    _scale = period_scale
    sns._fanout = fanout
    sns._deliver_to_sqs = deliver_to_sqs
    sns._deliver_to_http = deliver_to_http
    sns._http_post_sync = post
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SNS::Subscription"]
    create = handlers["create"]

    def create_and_ask(
        logical_id: str, properties: dict[str, Any], stack_name: str
    ) -> tuple[str, dict[str, Any]]:
        created: tuple[str, dict[str, Any]] = create(logical_id, properties, stack_name)
        ask_for_confirmation(properties.get("TopicArn", ""), created[0])
        return created

    handlers["create"] = create_and_ask


def policy_of(document: Mapping[str, Any]) -> Policy:
    """The retry policy in a delivery policy of a subscription, or of a topic."""
    found = document.get("healthyRetryPolicy") or (document.get("http") or {}).get(
        "defaultHealthyRetryPolicy"
    )
    if not found:
        return Policy()
    return Policy(
        retries=int(found.get("numRetries", 3)),
        no_delay=int(found.get("numNoDelayRetries") or 0),
        min_delay=int(found.get("numMinDelayRetries") or 0),
        max_delay=int(found.get("numMaxDelayRetries") or 0),
        minimum=float(found.get("minDelayTarget", 20)),
        maximum=float(found.get("maxDelayTarget", 20)),
        backoff=found.get("backoffFunction") or "linear",
    )


def ask_for_confirmation(topic_arn: str, subscription_arn: str) -> None:
    """Send an endpoint that CloudFormation subscribed what it has to confirm."""
    subscription = sns._find_subscription(topic_arn, subscription_arn)
    if subscription is None or subscription["protocol"] not in ("http", "https"):
        return
    subscription["token"] = new_uuid()
    subscription["attributes"]["PendingConfirmation"] = "true"
    asking = sns._send_subscription_confirmation(topic_arn, subscription)
    threading.Thread(target=asyncio.run, args=(asking,), daemon=True).start()


def fanout(topic_arn: str, *args: Any, **named: Any) -> None:
    """Deliver to every subscriber, and remember whose message it is meanwhile."""
    token = _topic.set(topic_arn)
    try:
        _fanout(topic_arn, *args, **named)
    finally:
        _topic.reset(token)


def deliver_to_sqs(endpoint: str, envelope: str, raw: bool, message: str, **named: Any) -> None:
    """Deliver to a queue; what it does not take goes to the dead-letter queue."""
    topic_arn = named.get("topic_arn") or _topic.get()
    account = parse_arn(topic_arn).account_id
    exists = sqs._queue_by_arn(endpoint) is not None
    if exists and sqs.queue_policy_allows(endpoint, SERVICE, topic_arn, account):
        _deliver_to_sqs(endpoint, envelope, raw, message, **named)
        return
    problem = "the queue refuses it" if exists else "the queue does not exist"
    give_up(topic_arn, endpoint, message if raw else envelope, problem)


def deliver_to_http(endpoint: str, payload: str) -> Coroutine[Any, Any, None]:
    """What delivers to an endpoint, with retries; it runs in a thread of its own."""
    # That thread does not know whose message it is: look it up now.
    return _deliver(_topic.get(), endpoint, payload)


async def _deliver(topic_arn: str, endpoint: str, payload: str) -> None:
    problem = ""
    for delay in (0.0, *retry_delays(topic_arn, endpoint)):
        await asyncio.sleep(delay / _scale)
        if subscription_of(topic_arn, endpoint) is None:
            return
        try:
            post(endpoint, payload, "Notification")
        except ClientError as error:
            problem = str(error)
            break
        except httpx.HTTPError as error:
            problem = str(error) or type(error).__name__
        else:
            return
    give_up(topic_arn, endpoint, payload, problem)


def post(endpoint: str, payload: str, message_type: str) -> int:
    """Post once and return the status.

    Raises ClientError: it is no use to try again. Raises httpx.HTTPError: it may be.
    """
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": message_type,
    }
    context = ssl.create_default_context()
    if urlsplit(endpoint).hostname in _LOOPBACK:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    answer = httpx.post(
        endpoint, content=payload.encode(), headers=headers, timeout=TIMEOUT, verify=context
    )
    if 400 <= answer.status_code < 500 and answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
        raise ClientError(f"{endpoint} answered {answer.status_code}")
    answer.raise_for_status()
    return answer.status_code


def retry_delays(topic_arn: str, endpoint: str) -> list[float]:
    """The seconds before each retry of a subscription."""
    subscription = subscription_of(topic_arn, endpoint) or {}
    topic = sns._topic_by_arn_any_scope(topic_arn) or {}
    for holder in (subscription, topic):
        if text := (holder.get("attributes") or {}).get("DeliveryPolicy"):
            return policy_of(json.loads(text)).delays()
    return Policy().delays()


def subscription_of(topic_arn: str, endpoint: str) -> dict[str, Any] | None:
    """The subscription of an endpoint, which it has once in a topic; None where it is gone."""
    topic = sns._topic_by_arn_any_scope(topic_arn) or {}
    subscriptions: list[dict[str, Any]] = topic.get("subscriptions", [])
    return next((one for one in subscriptions if one["endpoint"] == endpoint), None)


def give_up(topic_arn: str, endpoint: str, body: str, problem: str) -> None:
    """Put what was not delivered into the dead-letter queue of the subscription, if it has one."""
    sns.logger.warning("SNS delivery to %s given up: %s", endpoint, problem)
    subscription = subscription_of(topic_arn, endpoint) or {}
    text = (subscription.get("attributes") or {}).get("RedrivePolicy")
    queue = json.loads(text).get("deadLetterTargetArn") if text else None
    topic = parse_arn(topic_arn)
    with request_scope(topic.account_id, topic.region):
        if queue and sqs.queue_policy_allows(queue, SERVICE, topic_arn, topic.account_id):
            asynchronous.send_message(queue, body)
