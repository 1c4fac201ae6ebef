"""POST /v1/search: what `foveal search query` finds, over HTTP, by processes without torch."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bad_inputs.http import request
from bad_inputs.made import encoded
from bad_inputs.multipart import BOUNDARY, form
from foveal.bundle import archive
from foveal.core.errors import DataError, UsageError
from foveal.export.embedding import embedder_in
from foveal.flows.search_approximate import approximate
from foveal.flows.search_query import query
from foveal.search.file import Entry, IndexFile
from foveal.serve.searching import served_indexes
from foveal.serve.serving import Door, serving
from foveal.serve.settings import Settings
from live import Server, running, started
from two_encoders import two_encoders

KIND = "Content-Type: image/png"


def picture(seed: int) -> bytes:
    return encoded(np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def index(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 pictures, the first of which has two names."""
    path = tmp_path_factory.mktemp("search") / "things.index"
    embedder = embedder_in(archive.read(bundle), source="colors")
    images = np.stack([embedder.preprocess.from_bytes(picture(seed)) for seed in range(40)])
    with IndexFile.create(path, embedder) as made:
        made.add(
            [
                Entry(f"{seed:064x}", (f"{seed}.png", "again.png")[: 1 + (seed == 0)], vector, b"look")
                for seed, vector in enumerate(embedder.features(images))
            ]
        )
    return path


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 pictures in an index that can be asked with texts, by a network with random weights."""
    from foveal.export.image_text import shared_space

    path = tmp_path_factory.mktemp("words") / "words.index"
    embedder = shared_space(two_encoders(), source="two encoders")
    images = np.stack([embedder.preprocess.from_bytes(picture(seed)) for seed in range(20)])
    with IndexFile.create(path, embedder) as made:
        vectors = embedder.features(images)
        made.add([Entry(f"{n:064x}", (f"{n}.png",), one, b"look") for n, one in enumerate(vectors)])
    return path


@pytest.fixture(scope="module")
def server(
    bundle: Path, index: Path, words: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with running([bundle], indexes=[index, f"second={index}", words], workers=2) as shared:
        yield shared


def asked(server: Server, content: bytes, what: str = "") -> dict:
    reply = server.say(request(content, KIND, path=f"/v1/search{what}"))
    return {"status": reply.status, **reply.json}


def test_it_finds_what_the_command_finds(server: Server, index: Path) -> None:
    expected, _ = query(index, picture(7), top=3)

    said = asked(server, picture(7), "?top=3")

    assert said["status"] == 200
    assert (said["index"], said["digest"], said["pictures"]) == ("things", expected["digest"], 40)
    assert said["results"] == expected["results"]
    assert said["results"][0] == {"source": "7.png", "score": pytest.approx(1, abs=1e-5), "copies": []}


def test_there_are_ten_results_and_copies_are_named(server: Server) -> None:
    results = asked(server, picture(0))["results"]

    assert len(results) == 10
    assert results[0]["copies"] == ["again.png"]
    assert [one["score"] for one in results] == sorted((one["score"] for one in results), reverse=True)


def test_a_form_will_do_and_an_index_can_be_named(server: Server) -> None:
    body = form(("image", picture(3)))
    kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"

    said = server.say(request(body, kind, path="/v1/search?index=second")).json

    assert (said["index"], said["results"][0]["source"]) == ("second", "3.png")


@pytest.mark.parametrize(
    ("what", "content", "status", "code"),
    [
        ("?index=none", picture(0), 404, "unknown_index"),
        ("?top=0", picture(0), 400, "bad_request"),
        ("?top=1001", picture(0), 400, "bad_request"),
        ("?most=3", picture(0), 400, "unknown_parameter"),
        ("", b"no picture", 422, "not_image"),
        ("", picture(0)[:-20], 422, "truncated"),
    ],
)
def test_what_cannot_be_answered_is_refused(server, what, content, status, code) -> None:
    said = asked(server, content, what)

    assert (said["status"], said["code"]) == (status, code)


JSON = "Content-Type: application/json; charset=utf-8"


def said(server: Server, body: bytes, what: str = "?index=words", kind: str = JSON) -> dict:
    reply = server.say(request(body, kind, path=f"/v1/search{what}"))
    return {"status": reply.status, **reply.json}


@pytest.mark.parametrize("text", ["a red circle left of a blue square", "A blue circle, crimson"])
def test_a_text_finds_what_the_command_finds(server: Server, words: Path, text: str) -> None:
    expected, _ = query(words, text, top=3)

    found = said(server, json.dumps({"text": text}).encode(), "?index=words&top=3")

    assert found["status"] == 200
    assert (found["kind"], found["digest"]) == ("text", expected["digest"])
    assert (found["text"], found["results"]) == (expected["text"], expected["results"])
    assert len(found["results"]) == 3
    assert ("crimson" in text) == (found["text"]["unknown"] == ["crimson"])


def test_a_picture_is_told_from_a_text(server: Server) -> None:
    found = asked(server, picture(3), "?index=words")

    assert (found["kind"], found["text"], found["results"][0]["source"]) == ("picture", None, "3.png")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"red circle", 400, "bad_json"),
        (b'["red"]', 400, "bad_json"),
        (b"{}", 400, "bad_json"),
        (b'{"text": 7}', 400, "bad_json"),
        (b'{"text": null}', 400, "bad_json"),
        (b'{"text": "red", "text": "blue"}', 400, "bad_json"),
        (b'{"text": "red", "top": 3}', 400, "bad_json"),
        (b'{"text": "\\ud800"}', 400, "bad_json"),
        (b'{"text": ""}', 422, "bad_text"),
        (b'{"text": " \\n "}', 422, "bad_text"),
        (b'{"text": "crimson xyzzy"}', 422, "no_known_word"),
        (b'{"text": "' + b"red " * 250 + b'!"}', 413, "text_too_long"),
        (b'{"text": "' + b"red " * 5000 + b'"}', 413, "text_too_long"),
    ],
)
def test_texts_that_mean_nothing_are_refused(server: Server, body: bytes, status: int, code: str) -> None:
    refused = said(server, body)

    assert (refused["status"], refused["code"]) == (status, code)
    assert said(server, b'{"text": "red circle"}')["status"] == 200


def test_the_longest_text_is_answered_in_every_way_of_writing_it(server: Server) -> None:
    letters = "red " + "\N{PILE OF POO}" * 996

    found = said(server, json.dumps({"text": letters}).encode())

    assert (found["status"], found["text"]["cut"]) == (200, True)


def test_an_index_of_pictures_alone_refuses_a_text(server: Server) -> None:
    refused = said(server, b'{"text": "red circle"}', "?index=things")

    assert (refused["status"], refused["code"]) == (422, "no_text")
    assert "backbone" not in refused["hint"], "a client cannot make an index"


def test_predictions_go_on_beside_it(server: Server) -> None:
    assert server.say(request(picture(1), KIND)).json["predictions"][0]["label"] in ("red", "green", "blue")


def test_a_server_may_have_an_index_only(index: Path) -> None:
    command = ("-m", "foveal", "serve", "--index", f"a={index}", "--port", "0", "--workers", "1")
    with started(*command) as server:
        assert asked(server, picture(5))["results"][0]["source"] == "5.png"
        assert server.say(request(picture(5), KIND)).json["code"] == "unknown_model"
        assert server.ask("/v1/models").json == {"models": []}
        assert server.ready()
        assert json.loads(server.lines[0])["indexes"] == ["a"]


def test_a_server_without_an_index_says_so(bundle: Path) -> None:
    with running([bundle], workers=1) as server:
        said = asked(server, picture(5))
    assert (said["status"], said["code"]) == (404, "unknown_index")
    assert "--index" in said["hint"]


def test_indexes_that_cannot_be_served_are_told_before_anybody_is_let_in(index, bundle, tmp_path) -> None:
    odd = tmp_path / "odd name.index"
    odd.write_bytes(index.read_bytes())
    damaged = tmp_path / "damaged.index"
    damaged.write_bytes(index.read_bytes().replace(b'["9.png"]', b'["8.png"]'))

    with pytest.raises(UsageError, match="cannot be part of an address"):
        served_indexes([str(odd)])
    with pytest.raises(UsageError, match="two indexes are called"):
        served_indexes([str(index), str(index)])
    with pytest.raises(DataError, match="is no index"):
        served_indexes([str(bundle)])
    with pytest.raises(DataError, match="is damaged"):
        served_indexes([str(damaged)])
    with pytest.raises(UsageError, match="there is nothing to serve"):
        serving([], door=Door(port=0), settings=Settings(), tell=print)


def test_it_needs_no_torch(words: Path) -> None:
    blocked = "import sys; sys.modules.update(dict.fromkeys(['torch', 'onnx', 'scipy', 'sklearn']))"
    program = (
        f"{blocked}\nfrom foveal.cli import main\n"
        f"sys.argv = ['foveal', 'serve', '--index', {str(words)!r}, '--port', '0', '--workers', '1']\nmain()"
    )
    assert sys.executable
    with started("-c", program) as server:
        assert asked(server, picture(5))["results"][0]["source"] == "5.png"
        assert said(server, b'{"text": "red circle"}', "")["kind"] == "text"


def test_a_graph_beside_an_index_is_used_and_the_answer_says_how_good_it_is(index, tmp_path) -> None:
    path = tmp_path / "many.index"
    path.write_bytes(index.read_bytes())
    told = approximate(path, True, least=1)
    command = ("-m", "foveal", "serve", "--index", str(path), "--index", f"exact={index}")
    with started(*command, "--port", "0", "--workers", "2") as server:
        near, exact = asked(server, picture(5)), asked(server, picture(5), "?index=exact")
    assert (near["exact"], near["recall"]) == (False, told["recall"])
    assert (exact["exact"], exact["recall"]) == (True, None)
    assert near["results"] == exact["results"]  # of 40 pictures all are candidates

    graph = tmp_path / "many.index.usearch"
    graph.write_bytes(graph.read_bytes()[:-1])
    with started(*command, "--port", "0", "--workers", "1") as server:
        assert asked(server, picture(5))["exact"] is True
        assert "many.index.usearch is not what was written" in server.lines[0]
