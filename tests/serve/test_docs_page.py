"""serve.docs_page: everything that the description says is on the page, as text, without a script."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bad_inputs.http import request
from foveal.bundle.predictor import Predictor
from foveal.serve import app
from foveal.serve.docs_page import docs_page
from foveal.serve.served import served
from live import Server, running

COMMAND = (
    'python -c "import json; from foveal.serve.app import create; '
    'print(json.dumps(create([]).openapi(), indent=1))" > docs/openapi.json'
)
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def document(bundle: Path) -> dict[str, Any]:
    found: dict[str, Any] = app.create(served([str(bundle)])).openapi()
    return found


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Server]:
    with running([bundle], workers=1) as shared:
        yield shared


def plain(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", page)).split())


def test_every_operation_status_and_object_is_described(document: dict[str, Any]) -> None:
    text = plain(docs_page(document).html)

    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert f"{method.upper()} {path}" in text
            assert operation["summary"] in text
            for status, said in operation["responses"].items():
                assert f"{status}{said['description']}" in text, (path, status)
            for parameter in operation.get("parameters", []):
                assert parameter["name"] in text
    for name, schema in document["components"]["schemas"].items():
        assert name in text
        for field in schema.get("properties", {}):
            assert field in text


def test_every_link_within_it_leads_somewhere(document: dict[str, Any]) -> None:
    page = docs_page(document).html
    targets, anchors = set(re.findall(r'href="#([^"]+)"', page)), re.findall(r'id="([^"]+)"', page)

    assert targets <= set(anchors)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="([^#"][^"]*)"', page)) == {"openapi.json", "./"}


def test_it_has_no_script_and_asks_nobody(document: dict[str, Any]) -> None:
    page = docs_page(document)

    assert "<script" not in page.html
    assert not re.search(r'(src|href)="(https?:)?//', page.html)
    assert "script-src" not in page.headers["Content-Security-Policy"]


def test_whatever_the_description_says_stays_text() -> None:
    schema = {"type": EVIL, "description": EVIL, "enum": [EVIL], "properties": {EVIL: {"const": EVIL}}}
    operation = {
        "summary": EVIL,
        "description": EVIL,
        "parameters": [{"name": EVIL, "in": EVIL, "description": EVIL, "schema": schema}],
        "requestBody": {"content": {EVIL: {"schema": schema}}},
        "responses": {EVIL: {"description": EVIL, "content": {EVIL: {"schema": {"type": [EVIL, "null"]}}}}},
    }
    evil = {
        "info": {"title": EVIL, "version": EVIL, "description": EVIL},
        "paths": {f"/{EVIL}": {"post": operation}},
        "components": {"schemas": {EVIL: schema, "more": {"$ref": f"#/components/schemas/{EVIL}"}}},
    }

    assert EVIL not in docs_page(evil, address=EVIL).html


def test_a_description_of_nothing_is_a_page() -> None:
    assert "<h1>a 1</h1>" in docs_page({"info": {"title": "a", "version": "1"}}).html


def test_the_lines_to_copy_name_the_server_that_was_asked(server: Server) -> None:
    reply = server.say(request(method="GET", path="/docs"))

    assert reply.status == 200
    assert "--data-binary @picture.jpg http://localhost/v1/predict" in html.unescape(reply.body.decode())


def test_the_server_says_what_is_checked_in(server: Server, project: Path) -> None:
    checked_in = json.loads((project / "docs" / "openapi.json").read_text(encoding="utf-8"))

    assert server.say(request(method="GET", path="/openapi.json")).json == checked_in, f"run {COMMAND}"


def test_the_description_says_nothing_of_the_models(document: dict[str, Any], bundle: Path) -> None:
    predictor = Predictor.open(bundle, threads=1)
    text = json.dumps(document)

    assert predictor.digest not in text
    assert bundle.stem not in text
