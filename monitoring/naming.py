"""The names and tags that tie the two stacks, the alarms and the rules together."""

from __future__ import annotations

import re

from troposphere import Tags

TAGS = {"Project": "aws-architectures", "Part": "monitoring"}

MAINTENANCE = "maintenance"

_STAGE = re.compile(r"[a-z][a-z0-9-]{0,30}")


def check_stage(stage: str) -> None:
    """Refuse a stage that cannot be part of the names here.

    Raises ValueError: it is too long for a role's name, or has other characters.
    """
    if not _STAGE.fullmatch(stage):
        raise ValueError(
            f"stage {stage!r}: use a lower-case letter, then up to 30 of a-z, 0-9 and '-'"
        )


def stack(stage: str) -> str:
    """Return the name of the stack in the monitoring account."""
    return f"monitoring-{stage}"


def workload_stack(stage: str) -> str:
    """Return the name of the stack in the workload account."""
    return f"monitoring-workload-{stage}"


def alarm_prefix(stage: str) -> str:
    """Return what every alarm of the stage begins with, and nothing else in the account does."""
    return f"{stack(stage)}/"


def alarm(stage: str, service: str, subject: str, condition: str) -> str:
    """Return an alarm's name, such as `monitoring-prod/image_api/process/error-rate`."""
    return f"{alarm_prefix(stage)}{service}/{subject}/{condition}"


def composite(stage: str, service: str, severity: str) -> str:
    """Return a composite alarm's name, such as `monitoring-prod/image_api/critical`."""
    return f"{alarm_prefix(stage)}{service}/{severity}"


def maintenance(stage: str, service: str) -> str:
    """Return the name of the alarm that is in ALARM while a service is worked on."""
    return composite(stage, service, MAINTENANCE)


def action(stage: str) -> str:
    """Return the name of the actions' Lambda function, and of the role it assumes."""
    return f"{stack(stage)}-action"


def logical_id(*parts: str) -> str:
    """Return the parts as one CloudFormation logical id: `image_api`, `5xx` gives `ImageApi5xx`."""
    words = [word for part in parts for word in re.split(r"[^A-Za-z0-9]+", part)]
    return "".join(word[:1].upper() + word[1:] for word in words)


def tags(**more: str) -> Tags:
    """Return the tags of a resource: the project's own and `more`."""
    return Tags(**TAGS, **more)
