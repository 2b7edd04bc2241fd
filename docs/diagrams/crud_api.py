"""The serverless REST API: its routes, and what its role lets it do to the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.diagrams import access
from docs.diagrams.picture import Edge, Group, Node, Picture

if TYPE_CHECKING:
    from docs.diagrams.chalice_apps import App
    from docs.diagrams.resources import Resources

NAME, TITLE = "crud_api", "Serverless REST API"


def picture(app: App, resources: Resources) -> Picture:
    """The picture of the app and `crud_api.json`."""
    groups = (Group("account", "AWS account", "account"),)
    nodes = [
        Node("users", "users", ("Users",)),
        Node("api", "api", ("API Gateway",), "account"),
        *(Node(key, "function", ("Lambda",), "account") for key in app.functions),
    ]
    # The paths that take every method are there to answer that there is nothing.
    every = max(map(len, app.routes.values()))
    routes = "\n".join(
        f"{' '.join(methods)} {path}"
        for path, methods in app.routes.items()
        if len(methods) < every
    )
    edges = [Edge("users", "api", "signed requests", step=1)]
    edges += [Edge("api", key, routes, step=2) for key in app.functions]
    for kind, member, icon, label in (
        ("DynamoDB::Table", "TableName", "table", ("DynamoDB", "items")),
        ("SecretsManager::Secret", "Name", "secret", ("Secrets Manager", "cursor key")),
    ):
        for key, found in resources.of(kind).items():
            name = str(found[member])
            nodes.append(Node(key, icon, label, "account"))
            edges += [
                Edge(function, key, words, step=3 if icon == "table" else None)
                for function, policy in app.policies.items()
                if (words := access.words(policy, name))
            ]
    return Picture(NAME, TITLE, "LR", groups, tuple(nodes), tuple(edges), resources.folded())
