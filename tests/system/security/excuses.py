"""Rights that nothing can use in the sandbox, each with its reason; a stale one is an error."""

from __future__ import annotations

from sandbox.privilege import Excuse

EXCUSES = (
    Excuse("*", "xray:*", "Lambda's own daemon sends the traces; the sandbox runs none"),
    Excuse("image-api-operations-*", "*", "the sandbox has no S3 Batch Operations to run a job"),
    Excuse(
        "*-forwarding",
        "events:PutEvents",
        "the sandbox emits no events of CloudFormation and AWS Health, which are what is forwarded",
    ),
)
