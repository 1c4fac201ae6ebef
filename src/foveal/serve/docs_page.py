"""The page at `/docs`: what can be asked, from the OpenAPI document, without script and network."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from foveal.serve.page import Page, headers, text

_Object = Mapping[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
_CODE = re.compile("`([^`]+)`")
_REFERENCE = "#/components/schemas/"


def docs_page(document: _Object, *, address: str = "http://127.0.0.1:8080") -> Page:
    """Return the documentation of an HTTP interface.

    Args:
        document: OpenAPI 3.1, as `app.openapi()` returns it.
        address: Of the server, for the lines to copy.
    """
    style = text("page.css") + text("docs_page.css")
    about = document["info"]
    operations = list(_operations(document))
    parts = [
        f"<h1>{escape(about['title'])} {escape(about['version'])}</h1>",
        *_paragraphs(about.get("description", "")),
        '<p class="muted">The same for programs: <a href="openapi.json">openapi.json</a>. '
        'To try it with a picture: <a href="./">the page</a>.</p>',
        "<nav><ul>",
        *(f'<li><a href="#{_anchor(m, p)}">{_title(m, p)}</a> {_summary(o)}</li>' for m, p, o in operations),
        "</ul></nav>",
        *(part for m, p, o in operations for part in _operation(m, p, o, address)),
        "<h2>Objects</h2>",
        *(part for name, schema in _schemas(document).items() for part in _object(name, schema)),
    ]
    title = f"<title>{escape(about['title'])}: how to ask it</title>"
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    html = f'<!doctype html>\n<html lang="en"><head>{head}{title}<style>{style}</style></head>\n<body>'
    return Page(html + "\n".join(parts) + "\n</body></html>\n", headers(style=style))


def _operations(document: _Object) -> Iterator[tuple[str, str, _Object]]:
    for path, item in document.get("paths", {}).items():
        shared = item.get("parameters", [])
        for method in _METHODS:
            if method in item:
                operation = item[method]
                yield method, path, {**operation, "parameters": [*shared, *operation.get("parameters", [])]}


def _schemas(document: _Object) -> dict[str, _Object]:
    return dict(document.get("components", {}).get("schemas", {}))


def _operation(method: str, path: str, operation: _Object, address: str) -> Iterator[str]:
    yield f'<section><h2 id="{_anchor(method, path)}">{_title(method, path)}</h2>'
    yield from _paragraphs(operation.get("description") or operation.get("summary", ""))
    yield f"<pre>{escape(_curl(method, path, operation, address))}</pre>"
    rows = [
        (
            f"<code>{escape(one['name'])}</code>",
            escape(one["in"]) + (", needed" if one.get("required") else ""),
            f"{_type(one.get('schema', {}))}. {_prose(one.get('description', ''))}",
        )
        for one in operation["parameters"]
    ]
    yield from _table("Parameters", ("name", "where", "what"), rows)
    body = operation.get("requestBody", {})
    sent = [(f"<code>{escape(kind)}</code>", _type(c.get("schema", {}))) for kind, c in _content(body)]
    yield from _table("What is sent", ("type", "what"), sent)
    answered = [
        (escape(status), escape(said.get("description", "")), _answers(said))
        for status, said in sorted(operation.get("responses", {}).items())
    ]
    yield from _table("Answers", ("status", "when", "what"), answered)
    yield "</section>"


def _answers(said: _Object) -> str:
    kinds = [f"<code>{escape(kind)}</code> {_type(c.get('schema', {}))}" for kind, c in _content(said)]
    return "<br>".join(kinds)


def _content(body: _Object) -> list[tuple[str, _Object]]:
    return list(body.get("content", {}).items())


def _object(name: str, schema: _Object) -> Iterator[str]:
    yield f'<section><h3 id="object-{escape(name)}">{escape(name)}</h3>'
    yield from _paragraphs(schema.get("description", ""))
    needed = schema.get("required", [])
    rows = [
        (
            f"<code>{escape(field)}</code>",
            _type(one) + ("" if field in needed else ", may be missing"),
            _prose(one.get("description", "")),
        )
        for field, one in schema.get("properties", {}).items()
    ]
    yield from _table("", ("name", "type", "what"), rows)
    if not rows:
        yield f"<p>{_type(schema)}</p>"
    yield "</section>"


def _type(schema: _Object) -> str:
    """Return in a few words, as HTML, what a schema allows."""
    reference = schema.get("$ref", "")
    if reference.startswith(_REFERENCE):
        name = escape(reference.removeprefix(_REFERENCE))
        return f'<a href="#object-{name}">{name}</a>'
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return (" and " if several == "allOf" else " or ").join(_type(one) for one in schema[several])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(f"<code>{escape(json.dumps(one, ensure_ascii=False))}</code>" for one in values)
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object, each value {_type(schema['additionalProperties'])}"
    if kind == "object" and schema.get("properties"):
        return "object with " + ", ".join(
            f"<code>{escape(name)}</code> ({_type(one)})" for name, one in schema["properties"].items()
        )
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return escape("bytes" if schema.get("format") == "binary" or "contentMediaType" in schema else words)


def _curl(method: str, path: str, operation: _Object, address: str) -> str:
    words = ["curl"]
    if operation.get("security"):
        words.append('-H "Authorization: Bearer $FOVEAL_TOKEN"')
    kinds = [kind for kind, _ in _content(operation.get("requestBody", {}))]
    binary = [k for k in kinds if k == "application/octet-stream" or k.startswith("image/")]
    if binary:
        words += [f"-H 'Content-Type: {binary[0]}'", "--data-binary @picture.jpg"]
    elif "multipart/form-data" in kinds:
        words.append("-F image=@picture.jpg")
    elif "application/json" in kinds:
        words += ["-H 'Content-Type: application/json'", "--data @request.json"]
    elif method not in ("get", "post"):
        words.append(f"-X {method.upper()}")
    return " ".join([*words, f"{address}{path}"])


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    if title:
        yield f"<h3>{title}</h3>"
    cells = "".join(f'<th scope="col">{name}</th>' for name in head)
    yield f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>'
    yield from ("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    yield "</tbody></table></div>"


def _paragraphs(prose: str) -> list[str]:
    return [f"<p>{_prose(part)}</p>" for part in prose.split("\n\n") if part.strip()]


def _prose(words: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(" ".join(words.split())))


def _summary(operation: _Object) -> str:
    return f'<span class="muted">{escape(operation.get("summary", ""))}</span>'


def _title(method: str, path: str) -> str:
    return f"<code>{method.upper()} {escape(path)}</code>"


def _anchor(method: str, path: str) -> str:
    return escape(f"{method}{path}".replace("/", "-").replace("{", "").replace("}", ""))
