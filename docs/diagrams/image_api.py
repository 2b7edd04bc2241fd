"""Serverless image processing, with the steps that its page tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.diagrams import access
from docs.diagrams.picture import Edge, Group, Node, Picture

if TYPE_CHECKING:
    from docs.diagrams.chalice_apps import App
    from docs.diagrams.resources import Resources

NAME, TITLE = "image_api", "Serverless image processing"
FUNCTIONS = {"api_handler": "API handler", "process": "Process", "reprocess": "Reprocess"}


def picture(app: App, resources: Resources, operations: Resources) -> Picture:
    """The picture of the app, `image_api.json` and `image_api_operations.json`."""
    groups = (Group("account", "AWS account", "account"),)
    nodes = [
        Node("users", "users", ("Users",)),
        Node("api", "api", ("API Gateway", f"{len(app.routes)} paths"), "account"),
        *(
            Node(key, "function", ("Lambda", FUNCTIONS.get(key, key)), "account")
            for key in app.functions
        ),
    ]
    buckets = {}
    for key, properties in resources.of("S3::Bucket").items():
        nodes.append(Node(key, "bucket", (f"{key.removesuffix('Bucket')} bucket",), "account"))
        buckets[key] = str(properties["BucketName"])
    edges = [
        Edge("users", "api", "uploads an image", step=1),
        Edge("api", "api_handler", "invokes", step=2),
    ]
    for function, policy in app.policies.items():
        for bucket, name in buckets.items():
            if allowed := access.words(policy, name):
                step, words, ranked = _STEPS.get((function, bucket), (None, allowed, True))
                edges.append(Edge(function, bucket, words, step, ranked))
    for name, function in app.events.items():
        bucket = next(key for key, other in buckets.items() if other == name)
        edges.append(Edge(bucket, function, "object created\nor removed", step=4))
    for queue in resources.of("SQS::Queue"):
        nodes.append(Node(queue, "queue", ("Failed events",), "account", served=False))
        edges += [
            Edge(function, queue, f"after {config['MaximumRetryAttempts']} retries")
            for config in operations.of("Lambda::EventInvokeConfig").values()
            for function in app.functions
            if config["FunctionName"].endswith(f"-{function}")
        ]
    folded = resources.folded() + operations.folded()
    return Picture(NAME, TITLE, "LR", groups, tuple(nodes), tuple(edges), folded)


# The function's part in the flow, where its policy lets it play one: number, words, and whether the
# bucket belongs after the function.
_STEPS: dict[tuple[str, str], tuple[int | None, str, bool]] = {
    ("api_handler", "SourceBucket"): (3, "stores it", True),
    ("process", "SourceBucket"): (None, "reads it", False),
    ("process", "DestinationBucket"): (5, "writes renditions", True),
    ("api_handler", "DestinationBucket"): (6, "signs links to renditions", False),
}
