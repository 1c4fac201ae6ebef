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
from foveal.flows.search_query import query
from foveal.search.file import Entry, IndexFile
from foveal.serve.searching import served_indexes
from foveal.serve.serving import Door, serving
from foveal.serve.settings import Settings
from live import Server, running, started

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
def server(bundle: Path, index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running([bundle], indexes=[index, f"second={index}"], workers=2) as shared:
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


def test_it_needs_no_torch(index: Path) -> None:
    blocked = "import sys; sys.modules.update(dict.fromkeys(['torch', 'onnx', 'scipy', 'sklearn']))"
    program = (
        f"{blocked}\nfrom foveal.cli import main\n"
        f"sys.argv = ['foveal', 'serve', '--index', {str(index)!r}, '--port', '0', '--workers', '1']\nmain()"
    )
    assert sys.executable
    with started("-c", program) as server:
        assert asked(server, picture(5))["results"][0]["source"] == "5.png"
