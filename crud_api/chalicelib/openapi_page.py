"""The OpenAPI document as one HTML page, without scripts and without anything from elsewhere."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """\
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 20%,transparent)}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:auto;padding:1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
pre{overflow-x:auto;padding:.75rem;border:1px solid var(--line);border-radius:.4rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0}
tr{border-top:1px solid var(--line)}
section{margin-top:2.5rem;border-top:2px solid var(--line)}
h3 b{display:inline-block;min-width:4.5rem}
nav ul{list-style:none;padding:0}
a{color:LinkText}
"""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src "
    f"'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)


def page(document: Mapping[str, Any]) -> str:
    """Return the page of the document."""
    info = document["info"]
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{escape(info['title'])}: API reference</title><style>{_STYLE}</style></head>",
            f"<body><h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
            f"<p>{escape(info['description'])}</p>",
            '<p>The same for programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>',
            "<nav><ul>",
            *(
                f'<li><a href="#{_id(operation)}"><code>{method.upper()} {escape(path)}</code></a> '
                f"{escape(operation['summary'])}</li>"
                for path, method, operation in _operations(document)
            ),
            "</ul></nav><section><h2>Operations</h2>",
            *(
                text
                for path, method, operation in _operations(document)
                for text in _operation(path, method, operation, document)
            ),
            "</section><section><h2>Models</h2>",
            *(
                text
                for name, schema in document["components"]["schemas"].items()
                for text in _model(name, schema)
            ),
            "</section></body></html>\n",
        ]
    )


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _id(operation: Mapping[str, Any]) -> str:
    return escape(operation["operationId"], quote=True)


def _operation(
    path: str, method: str, operation: Mapping[str, Any], document: Mapping[str, Any]
) -> Iterator[str]:
    yield f'<h3 id="{_id(operation)}"><b>{method.upper()}</b> <code>{escape(path)}</code></h3>'
    yield f"<p>{escape(operation['summary'])}. {escape(operation.get('description', ''))}</p>"
    if parameters := operation.get("parameters"):
        rows = (
            (
                f"<code>{escape(parameter['name'])}</code>",
                parameter["in"] + (", required" if parameter.get("required") else ""),
                escape(parameter.get("description", "")) + _constraints(parameter["schema"]),
            )
            for parameter in parameters
        )
        yield from _table(("parameter", "in", ""), rows)
    if body := operation.get("requestBody"):
        yield "<p>Body: " + ", ".join(_content(body["content"])) + "</p>"
    shared = document["components"]["responses"]
    answers = (
        (status, shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer)
        for status, answer in operation["responses"].items()
    )
    yield from _table(
        ("status", "", "body"),
        (
            (status, escape(answer["description"]) + _header_names(answer), _answer_body(answer))
            for status, answer in answers
        ),
    )


def _content(content: Mapping[str, Any]) -> Iterator[str]:
    for media_type, value in content.items():
        yield f"{_schema(value['schema'])} as <code>{escape(media_type)}</code>"


def _header_names(answer: Mapping[str, Any]) -> str:
    names = ", ".join(f"<code>{escape(name)}</code>" for name in answer.get("headers", {}))
    return f"<br>{names}" if names else ""


def _answer_body(answer: Mapping[str, Any]) -> str:
    texts = []
    for media_type, value in answer.get("content", {}).items():
        schema = value.get("schema", {})
        kinds = schema.get("properties", {}).get("type", {}).get("enum")
        if kinds:
            texts.append("<br>".join(f"<code>{escape(kind)}</code>" for kind in kinds))
        else:
            texts.append(_schema(schema) or f"<code>{escape(media_type)}</code>")
    return "<br>".join(texts)


def _model(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h3 id="model-{escape(name, quote=True)}">{escape(name)}</h3>'
    yield f"<p>{escape(schema.get('description', ''))}</p>"
    required = schema.get("required", ())
    if "properties" in schema:
        yield from _table(
            ("member", "type", ""),
            (
                (
                    f"<code>{escape(member)}</code>",
                    _schema(value) + (", required" if member in required else ""),
                    escape(value.get("description", "")) + _constraints(value),
                )
                for member, value in schema["properties"].items()
            ),
        )
    else:
        yield f"<p>{_schema(schema)}</p>"
    for example in schema.get("examples", ()):
        yield f"<pre>{escape(json.dumps(example, indent=2))}</pre>"


def _schema(schema: Mapping[str, Any]) -> str:
    """Return the type in words, with links to the models it names."""
    match schema:
        case {"$ref": str(target)}:
            name = escape(target.rpartition("/")[2], quote=True)
            return f'<a href="#model-{name}">{name}</a>'
        case {"anyOf": list(choices)}:
            return " or ".join(dict.fromkeys(_schema(choice) for choice in choices))
        case {"type": "array", "items": dict(element)}:
            return f"array of {_schema(element)}"
        case {"type": "object", "additionalProperties": dict(value)}:
            return f"object of {_schema(value)}"
        case {"type": list(kinds)}:
            return " or ".join(kinds)
        case {"type": str(kind)}:
            return kind
        case {"const": value}:
            return f"<code>{escape(json.dumps(value))}</code>"
        case _:
            return ""


_WORDS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} elements",
    "uniqueItems": "no element twice",
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "up to {}",
    "exclusiveMaximum": "below {}",
    "default": "default {}",
    "pattern": "pattern <code>{}</code>",
    "const": "<code>{}</code>",
    "format": "{}",
}


def _constraints(schema: Mapping[str, Any]) -> str:
    words = [
        text.format(escape(str(schema[name]))) for name, text in _WORDS.items() if name in schema
    ]
    return f" ({'; '.join(words)})" if words else ""


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield (
        "<table><thead><tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr></thead><tbody>"
    )
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</tbody></table>"
