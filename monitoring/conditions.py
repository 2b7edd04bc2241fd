"""What can be wrong: each condition with what it means, what to look at and what to do.

The alarms' descriptions and the runbook pages are both made of this catalogue, so they agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MINIMUM_FAILURES = 3
"""Fewer failures than this in a period are no rate: one of two requests would be 50 %.

Three also lets one bad event pass: Lambda invokes an asynchronous function three times for it, but
minutes apart. Such an event raises `events-dropped` instead, when Lambda gives it up.
"""

MINIMUM_REQUESTS = 20
"""Fewer requests than this in a period have no share of refused ones and no slowest 1 %."""

Subject = Literal["function", "asynchronous function", "API", "table", "queue"]


@dataclass(frozen=True)
class Condition:
    """One kind of alarm.

    `meaning` says when it goes off; `{threshold}` in it is the number of `thresholds.toml`.
    `response` is the first thing to do, in the alarm itself. `look` and `do` are the runbook's
    steps; `{name}` in them is the name of the function, API, table or queue, `{region}` the Region.
    """

    name: str
    of: Subject
    unit: str
    meaning: str
    response: str
    consequence: str
    look: tuple[str, ...]
    do: tuple[str, ...]


ERROR_RATE = Condition(
    "error-rate",
    "function",
    "% of the invocations",
    f"{{threshold:g}} % or more of the invocations fail, at least {MINIMUM_FAILURES} a minute.",
    "Read the function's log for the exception; if a deployment came just before, take it back.",
    (
        "Work is not done. An API's callers see 5xx; the events of an asynchronous function wait "
        "for "
        "their retries, then go to its failure queue. Lambda counts exceptions, time-outs, out of "
        "memory and a failed start. A Chalice view that raises answers 500 and is a success to "
        "Lambda: "
        "`server-error-rate` sees that."
    ),
    (
        (
            "aws logs filter-log-events --log-group-name /aws/lambda/{name} "
            "--filter-pattern '?ERROR ?\"Task timed out\" ?Runtime.ExitError'"
        ),
        "aws lambda get-function-configuration --function-name {name} --query LastModified",
    ),
    (
        "A deployment came just before: deploy the version before it.",
        "One bad input: it is in the log; an asynchronous function drops it after three tries.",
        "What the function depends on fails: see its own alarms and the AWS Health Dashboard.",
        (
            "An asynchronous function is capped meanwhile, and its failure queue is put back when "
            "the "
            "alarm clears, unless the actions are a dry run."
        ),
    ),
)
THROTTLES = Condition(
    "throttles",
    "function",
    "invocations a minute",
    "Lambda refuses invocations for want of concurrency.",
    (
        "Compare ConcurrentExecutions with the reserved and the account's concurrency; a cap set "
        "by an "
        "action clears by itself, otherwise ask for more."
    ),
    (
        "An API's callers get 429 or 500. An asynchronous function's events wait and are tried "
        "again "
        "for up to six hours."
    ),
    (
        "aws lambda get-function-concurrency --function-name {name}",
        "aws lambda get-account-settings --query AccountLimit",
    ),
    (
        "The action `cap` did it: expected until `error-rate` clears.",
        "Traffic grew: raise the function's reserved concurrency, or ask AWS for a higher quota.",
        "Another function uses the account's concurrency up: see its `concurrency` alarm.",
    ),
)
DURATION = Condition(
    "duration",
    "function",
    "% of the time-out",
    (
        "The slowest 1 % of the invocations take {threshold:g} % or more of the time-out "
        "({timeout} s); soon they fail."
    ),
    (
        "Find the slow call in the function's trace and log; give it more memory, smaller work, "
        "or a "
        "longer time-out."
    ),
    "What goes past the time-out is an error, and its work is lost or done twice.",
    (
        (
            'aws xray get-trace-summaries --filter-expression \'service("{name}") AND duration > '
            "5' "
            "--start-time $(date -d '-30 min' +%s) --end-time $(date +%s)"
        ),
        (
            "aws logs filter-log-events --log-group-name /aws/lambda/{name} "
            "--filter-pattern 'REPORT Duration'"
        ),
    ),
    (
        "A dependency is slow: its calls stand out in the trace.",
        "The work grew: more memory also gives more CPU.",
        "The time-out is too short for what it does: an API's may be 29 s at most.",
    ),
)
CONCURRENCY = Condition(
    "concurrency",
    "function",
    "% of the limit",
    "The function uses {threshold:g} % or more of its concurrency limit ({limit}).",
    "See what drives it: more traffic, or slower invocations. Raise the limit before it throttles.",
    (
        "At 100 % Lambda refuses invocations; without reserved concurrency every other function of "
        "the account is refused as well."
    ),
    (
        "aws lambda get-function-concurrency --function-name {name}",
        "aws lambda get-account-settings --query AccountLimit",
    ),
    (
        "Slower invocations: see `duration` and `latency`.",
        "More traffic: raise the reserved concurrency or the account's quota.",
        (
            "A loop, such as a function that writes where it is triggered: set its reserved "
            "concurrency to 0 and mend it."
        ),
    ),
)
EVENT_AGE = Condition(
    "event-age",
    "asynchronous function",
    "seconds",
    "Events wait {threshold:g} s or more before the function takes them.",
    (
        "See whether the function is throttled, capped or fails; events older than their limit are "
        "dropped."
    ),
    "Work is late. Lambda drops an event after six hours, or the function's own limit.",
    ("aws lambda get-function-event-invoke-config --function-name {name}",),
    (
        "The function fails and is retried: see `error-rate`.",
        "It is throttled or capped: see `throttles`.",
    ),
)
EVENTS_DROPPED = Condition(
    "events-dropped",
    "asynchronous function",
    "events",
    "An event failed on every try, or grew too old, and Lambda will not try it again.",
    "Take it from the function's failure queue, mend the cause, send it again.",
    "A piece of work was not done and will not be, unless somebody sends it again.",
    (
        "aws logs filter-log-events --log-group-name /aws/lambda/{name} --filter-pattern ERROR",
        "aws lambda get-function-event-invoke-config --function-name {name}",
    ),
    (
        (
            "It is in the failure queue: the action `redrive` puts it back once `error-rate` has "
            "cleared."
        ),
        "It was one bad input: delete it from the failure queue.",
    ),
)
FAILURES_LOST = Condition(
    "failures-lost",
    "asynchronous function",
    "events",
    "Lambda could not put an event it gave up into the function's failure queue: it is lost.",
    "See whether the function's role may send to the queue, and whether the queue is there.",
    "The event is gone. Only its source may still know of it.",
    (
        "aws lambda get-function-event-invoke-config --function-name {name}",
        "aws lambda get-function-configuration --function-name {name} --query Role",
    ),
    (
        "The role needs sqs:SendMessage on the queue: deploy the service again.",
        "Find the lost work by its source: for image_api the uploads without renditions.",
    ),
)
SERVER_ERROR_RATE = Condition(
    "server-error-rate",
    "API",
    "% of the answers",
    f"{{threshold:g}} % or more of the answers are 5xx, at least {MINIMUM_FAILURES} a minute.",
    (
        "Read the log of the API's function: each 5xx has its exception there; if a deployment "
        "came "
        "just before, take it back."
    ),
    "Callers are not served.",
    (
        "aws logs filter-log-events --log-group-name /aws/lambda/{name} --filter-pattern ERROR",
        "aws apigateway get-rest-apis --query \"items[?name=='{name}']\"",
    ),
    (
        "The function fails or is throttled: see `error-rate` and `throttles`.",
        "502 with a healthy function: its answer is no valid one, or larger than 6 MB.",
        "504: the function took longer than 29 s.",
    ),
)
CLIENT_ERROR_RATE = Condition(
    "client-error-rate",
    "API",
    "% of the answers",
    f"{{threshold:g}} % or more of the answers are 4xx, of at least {MINIMUM_REQUESTS} a minute.",
    (
        "See which status it is: a client that was changed, a permission that was taken away, or "
        "somebody who tries doors."
    ),
    "Callers are refused. Mostly it is their fault; after a deployment it may be ours.",
    (
        "aws apigateway get-rest-apis --query \"items[?name=='{name}']\"",
        (
            "aws cloudtrail lookup-events "
            "--lookup-attributes AttributeKey=EventSource,AttributeValue=apigateway.amazonaws.com"
        ),
    ),
    (
        "403 since a change of a policy or role: take it back.",
        "400 since a deployment: the API became stricter than its clients know.",
        "401 and 403 from few addresses: somebody tries; consider a rule of AWS WAF.",
    ),
)
LATENCY = Condition(
    "latency",
    "API",
    "milliseconds",
    (
        f"The slowest 1 % of at least {MINIMUM_REQUESTS} requests a minute take {{threshold:g}} ms "
        "or more."
    ),
    "Find the slow call in a trace of the API's function.",
    "Callers wait, and some give up and try again, which adds load.",
    (
        (
            "aws xray get-trace-summaries --filter-expression 'responsetime > 3' "
            "--start-time $(date -d '-30 min' +%s) --end-time $(date +%s)"
        ),
    ),
    (
        "A dependency is slow: see its alarms.",
        "Cold starts after a deployment: they pass within minutes.",
        "The function is short of CPU: give it more memory.",
    ),
)
TABLE_THROTTLES = Condition(
    "table-throttles",
    "table",
    "requests a minute",
    "DynamoDB refuses reads or writes of the table or its indexes.",
    "See which key is hot; a table on demand throttles only beyond double its earlier peak.",
    "The SDK tries again, so callers wait first and see errors later.",
    ("aws dynamodb describe-table --table-name {name}",),
    (
        "One key is hot: spread it over more partitions.",
        (
            "Traffic more than doubled within 30 minutes: it passes; warm the table before the "
            "next "
            "time."
        ),
    ),
)
SYSTEM_ERRORS = Condition(
    "system-errors",
    "table",
    "requests a minute",
    "DynamoDB answers with errors of its own.",
    "See the AWS Health Dashboard; the SDK tries again meanwhile.",
    "Requests fail although nothing is wrong with them.",
    (
        "aws health describe-events --filter services=DYNAMODB,eventStatusCodes=open",
        "aws dynamodb describe-table --table-name {name} --query Table.TableStatus",
    ),
    ("It is AWS's: open a support case where it lasts.",),
)
NOT_EMPTY = Condition(
    "not-empty",
    "queue",
    "messages",
    "Something that could not be delivered or done is in the queue.",
    "Read a message: it says what failed and why.",
    "The message waits here until somebody sends it again or deletes it, two weeks at most.",
    (
        (
            "aws sqs receive-message --queue-url $(aws sqs get-queue-url --queue-name {name} "
            "--output text) --message-attribute-names All --visibility-timeout 0"
        ),
    ),
    (
        "From a rule: the attributes RULE_ARN, TARGET_ARN and ERROR_CODE say what failed.",
        (
            "From a function: responsePayload has the exception. The action `redrive` puts the "
            "events "
            "back once `error-rate` has cleared."
        ),
        "From the actions' queue: the message is what was to be done; see the actions' log.",
        "Delete the message when it is dealt with; the alarm clears by itself.",
    ),
)
DEPTH = Condition(
    "depth",
    "queue",
    "messages",
    "{threshold:g} or more messages wait.",
    "See whether what empties the queue runs, fails or is throttled.",
    "Work is late.",
    (
        (
            "aws sqs get-queue-attributes --queue-url $(aws sqs get-queue-url --queue-name {name} "
            "--output text) --attribute-names All"
        ),
    ),
    (
        "The consumer fails: see its `error-rate`.",
        "More comes in than it can take: raise its concurrency.",
    ),
)
MESSAGE_AGE = Condition(
    "message-age",
    "queue",
    "seconds",
    "The oldest message waits {threshold:g} s or more.",
    "See whether what empties the queue runs, fails or is throttled.",
    "Work is late; what is older than the queue's retention is lost.",
    (
        (
            "aws sqs get-queue-attributes --queue-url $(aws sqs get-queue-url --queue-name {name} "
            "--output text) --attribute-names All"
        ),
    ),
    (
        "One message fails over and over: after its tries it goes to the dead-letter queue.",
        "Nothing empties the queue: see whether its event source mapping is enabled.",
    ),
)
ARCHIVE_DEPTH = Condition(
    "archive-depth",
    "queue",
    "messages",
    "{threshold:g} or more messages are kept: far more than alarms make in two weeks.",
    "See what floods it: mostly an alarm that flaps.",
    "Nothing is lost, but nobody can read that many.",
    (
        (
            "aws cloudwatch describe-alarm-history --history-item-type StateUpdate "
            "--query 'AlarmHistoryItems[].AlarmName' --output text"
        ),
    ),
    (
        "An alarm flaps: raise its threshold, or let it take more periods.",
        "aws sqs purge-queue, where the messages are not needed.",
    ),
)
UNUSUAL_TRAFFIC = Condition(
    "unusual-traffic",
    "API",
    "standard deviations",
    (
        "The number of requests is outside of what it has been at this time of the week, by "
        "{threshold:g} standard deviations."
    ),
    "See where the requests come from, or why they stay away.",
    "Maybe none: it is a hint, learned from the past, and not a fault.",
    (
        "aws cloudwatch describe-anomaly-detectors --namespace AWS/ApiGateway",
        "aws apigateway get-rest-apis --query \"items[?name=='{name}']\"",
    ),
    (
        (
            "Too few: can callers reach the API at all? See DNS, certificates and the callers' own "
            "alarms."
        ),
        "Too many: a campaign, a client in a loop, or an attack.",
    ),
)

CATALOGUE = (
    ERROR_RATE,
    THROTTLES,
    DURATION,
    CONCURRENCY,
    EVENT_AGE,
    EVENTS_DROPPED,
    FAILURES_LOST,
    SERVER_ERROR_RATE,
    CLIENT_ERROR_RATE,
    LATENCY,
    TABLE_THROTTLES,
    SYSTEM_ERRORS,
    NOT_EMPTY,
    DEPTH,
    MESSAGE_AGE,
    ARCHIVE_DEPTH,
    UNUSUAL_TRAFFIC,
)
