"""`foveal search` on the command line: one document each, pages that load nothing, refusals by code."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.cli._main import run
from foveal.flows.search_approximate import approximate
from foveal.flows.search_index import Backbone, index
from foveal.tasks import image_text
from two_encoders import two_encoders


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Twelve pictures of three colours in class folders, one of them twice in two sizes."""
    folder = tmp_path_factory.mktemp("search") / "pictures"
    rng = np.random.default_rng(0)
    for channel, name in enumerate(("red", "green", "blue")):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            coarse = rng.integers(0, 90, (6, 6, 3), dtype=np.uint8)
            coarse[..., channel] += 120
            Image.fromarray(coarse).resize((40, 44), Image.Resampling.BICUBIC).save(
                folder / name / f"{number}.png"
            )
    Image.open(folder / "red" / "0.png").resize((60, 66)).save(folder / "red" / "again.jpg", quality=95)
    return folder


@pytest.fixture(scope="module")
def made(bundle, pictures) -> Path:
    path = pictures.parent / "a.index"
    index([pictures], path, backbone=Backbone(str(bundle)))
    return path


@pytest.fixture(scope="module")
def words(pictures) -> Path:
    """An index that can be asked with texts, of a network with random weights."""
    run = pictures.parent / "run"
    image_text.save(two_encoders(), run / "model")
    path = pictures.parent / "words.index"
    index([pictures], path, backbone=Backbone(str(run)))
    return path


def said(capsys, *arguments: object, code: int = 0) -> dict:
    assert run(["search", *map(str, arguments), "--json", "-q"]) == code
    return json.loads(capsys.readouterr().out)


def test_index_query_and_their_pages(capsys, bundle, pictures, tmp_path) -> None:
    out, sheet, answer = (tmp_path / name for name in ("b.index", "copies.html", "found.html"))

    made = said(capsys, "index", pictures, "--out", out, "--backbone", bundle, "--html", sheet)
    asked = pictures / "green" / "2.png"
    found = said(capsys, "query", out, asked, "--top", 3, "--html", answer)

    assert (made["schema"], made["pictures"], made["dimensions"]) == ("foveal.search.index/1", 13, 7)
    assert made["duplicates"]["groups"] == 1
    assert (found["schema"], len(found["results"])) == ("foveal.search.query/1", 3)
    assert found["results"][0]["source"] == str(asked)
    assert all("green" in one["source"] for one in found["results"])
    for page, count in ((sheet, 2), (answer, 4)):
        text = page.read_text()
        assert text.count('<img src="data:image/') == count
        assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_a_picture_on_stdin_finds_what_its_file_does(made, pictures) -> None:
    asked = pictures / "blue" / "1.png"
    command = [sys.executable, "-m", "foveal", "search", "query", str(made), "--json", "--others"]

    by_name = subprocess.run([*command, str(asked)], capture_output=True, check=True)
    by_bytes = subprocess.run([*command, "-"], input=asked.read_bytes(), capture_output=True, check=True)

    first, second = json.loads(by_name.stdout), json.loads(by_bytes.stdout)
    assert first["results"] == second["results"]
    assert str(asked) not in [one["source"] for one in first["results"]]


def test_evaluate_and_verify_for_people(capsys, made, pictures) -> None:
    assert run(["search", "evaluate", str(made), str(pictures), "-q"]) == 0
    assert "recall_at_1" in capsys.readouterr().out
    one, other = pictures / "red" / "0.png", pictures / "blue" / "0.png"
    assert run(["search", "verify", str(made), str(one), str(other)]) == 0
    assert "undecided" in capsys.readouterr().out
    assert said(capsys, "verify", made, one, other, "--threshold", 0.999)["same"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (("query", "{index}", "a red box"), "no_text", 2),
        (("query", "{words}", "xyzzy plugh"), "no_known_word", 2),
        (("query", "{words}", "red " * 300), "text_too_long", 2),
        (("query", "{words}", "red circle", "--others"), "usage", 2),
        (("query", "{words}", "red/blue circle"), "not_found", 66),
        (("query", "{words}", " "), "not_found", 66),
        (("verify", "{words}", "red circle", "{picture}"), "no_text", 2),
        (("query", "{index}", "none.jpg"), "not_found", 66),
        (("query", "{index}", "{folder}"), "not_image", 65),
        (("query", "{picture}", "{picture}"), "not_an_index", 65),
        (("query", "none.index", "{picture}"), "not_found", 66),
        (("query", "{index}", "{picture}", "--top", "0"), "usage", 2),
        (("query", "{index}", "{picture}", "--html", "page.txt"), "usage", 2),
        (("index", "{folder}", "--out", "{picture}"), "not_an_index", 65),
        (("index", "none", "--out", "{index}"), "not_found", 66),
        (("evaluate", "no-such-model", "{folder}"), "not_found", 66),
        (("faces", "{index}", "{folder}"), "few_people", 65),
        (("index", "{folder}", "--out", "{index}", "--as", "face"), "other_backbone", 2),
    ],
)
def test_refusals(capsys, made, words, pictures, arguments, code, exit_code) -> None:
    places = {"index": made, "words": words, "folder": pictures, "picture": pictures / "red" / "0.png"}

    document = said(capsys, *(one.format(**places) for one in arguments), code=exit_code)

    assert (document["ok"], document["error"]["code"]) == (False, code)
    assert document["error"]["message"]


def test_a_text_is_asked_and_its_page_shows_what_was_found(capsys, words, tmp_path) -> None:
    page = tmp_path / "found.html"

    found = said(capsys, "query", words, "a red <b> circle", "--top", 3, "--html", page)

    assert (found["kind"], found["query"], len(found["results"])) == ("text", "a red <b> circle", 3)
    assert found["text"] == {"unknown": ["<", "b", ">"], "cut": False}
    text = page.read_text("utf-8")
    assert text.count('<img src="data:image/') == 3
    assert "Asked with “a red &lt;b&gt; circle”" in text
    assert "likely to mislead" in text


def test_people_are_warned_beside_the_results(capsys, words) -> None:
    assert run(["search", "query", str(words), "a red xyzzy circle", "--top", "2"]) == 0
    warned = capsys.readouterr()
    assert run(["search", "query", str(words), "a red circle", "--top", "2"]) == 0
    plain = capsys.readouterr()

    assert "warning: never learned, and likely to mislead: 'xyzzy'" in warned.err
    assert len(warned.out.splitlines()) == 2
    assert "warning" not in plain.err


def test_a_file_that_is_called_like_a_text_is_a_picture_unless_it_is_told(
    capsys, words, pictures, tmp_path, monkeypatch
) -> None:
    (tmp_path / "red").write_bytes((pictures / "red" / "1.png").read_bytes())
    monkeypatch.chdir(tmp_path)

    assert said(capsys, "query", words, "red")["kind"] == "picture"
    assert said(capsys, "query", words, "red", "--text")["kind"] == "text"
    assert said(capsys, "query", words, "red / blue circle", "--text")["text"]["unknown"] == ["/"]


@pytest.mark.parametrize("with_text", [False, True])
def test_a_query_needs_no_training_side(words, pictures, with_text) -> None:
    made = words
    asked = "red circle" if with_text else pictures / "red" / "1.png"
    blocked = ["torch", "onnx", "scipy", "sklearn", "timm", "matplotlib", "jinja2", "safetensors"]
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked}))\nfrom foveal.cli import main\n"
        f"sys.argv = ['foveal', 'search', 'query', {str(made)!r}, {str(asked)!r}]\nmain()"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 10
    assert with_text or done.stdout.startswith("1.0000  ")


def test_an_index_for_people_knows_who_it_is(tmp_path: Path, capsys) -> None:
    rng = np.random.default_rng(0)
    for person in range(8):
        face = rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)
        (tmp_path / "people" / f"p{person}").mkdir(parents=True)
        for number in range(4):
            noisy = np.clip(face + rng.normal(0, 25, face.shape), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(tmp_path / "people" / f"p{person}" / f"{number}.png")
    ask = tmp_path / "people" / "p3" / "0.png"
    out = str(tmp_path / "people.index")
    line = [
        "search",
        "index",
        str(tmp_path / "people"),
        "--as",
        "face",
        "--out",
        out,
        "--size",
        "64",
        "--json",
        "-q",
    ]

    assert run(line) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["people"]["people"] == 8
    assert document["pictures"] == 32
    assert run(["search", "query", out, str(ask), "--others", "--top", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["results"]
    assert all("p3" in one["source"] for one in found)
    assert run(["search", "verify", out, str(ask), str(ask.with_name("1.png")), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same"] is True
    assert run(line) == 0  # again: nothing is new
    again = json.loads(capsys.readouterr().out)
    assert (again["people"], again["added"]) == (None, 0)
    assert run(["search", "index", str(tmp_path), "--as", "fish", "--out", out]) == 2


def test_a_graph_is_offered_to_large_indexes_only_and_is_asked_when_that_is_said(
    capsys, bundle, pictures, tmp_path
) -> None:
    out, asked = tmp_path / "c.index", pictures / "green" / "1.png"
    made = said(capsys, "index", pictures, "--out", out, "--backbone", bundle, "--approximate")
    assert made["approximate"]["graph"] is None
    assert "takes milliseconds" in made["approximate"]["reason"]
    assert said(capsys, "query", out, asked, "--approximate", code=66)["error"]["code"] == "no_graph"

    approximate(out, True, least=1)
    near = said(capsys, "query", out, asked, "--approximate")
    assert near["exact"] is False
    assert near["recall"]["n"] == 13
    exact = said(capsys, "query", out, asked)
    assert (exact["exact"], exact["recall"], exact["results"]) == (True, None, near["results"])
    assert run(["search", "query", str(out), str(asked), "--approximate"]) == 0
    assert "approximate: finds 100.0% (95 % interval" in capsys.readouterr().out

    Image.open(asked).rotate(90).save(pictures.parent / "new.png")
    assert run(["search", "index", str(pictures.parent / "new.png"), "--out", str(out), "-q"]) == 0
    assert "c.index.usearch: " in capsys.readouterr().out
    assert said(capsys, "query", out, asked, "--approximate")["pictures"] == 14
    said(capsys, "index", pictures, "--out", out, "--no-approximate")
    assert [path.name for path in tmp_path.iterdir()] == ["c.index"]
