"""One event of API Gateway, answered by the handler named by MODULE:NAME in FOLDER."""

import sys
from importlib import import_module

EVENT = {
    "resource": "/images",
    "path": "/images",
    "httpMethod": "GET",
    "headers": {"Accept": "application/json"},
    "multiValueHeaders": {"Accept": ["application/json"]},
    "queryStringParameters": None,
    "multiValueQueryStringParameters": None,
    "pathParameters": None,
    "stageVariables": None,
    "requestContext": {
        "httpMethod": "GET",
        "resourcePath": "/images",
        "identity": {"sourceIp": "127.0.0.1"},
    },
    "body": None,
    "isBase64Encoded": False,
}


def main() -> int:
    """Answer the event; 0 where the answer is 200."""
    module, name = sys.argv[1].split(":")
    sys.path.insert(0, sys.argv[2])
    answer = getattr(import_module(module), name)(EVENT, None)
    if answer["statusCode"] == 200:
        return 0
    print(answer, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
