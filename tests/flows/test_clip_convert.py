"""flows.clip_convert: a tiny CLIPModel answers as Hugging Face's own program says it does.

What `transformers` gives stands in `clip_convert/expected.json`; this writes it again, and the weights, which
follow from a seed here, are those that it was asked with:

    PYTHONPATH=FOLDER-WITH-TRANSFORMERS python tests/flows/clip_convert/expected.py
"""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foveal.core.errors import DataError, NotFoundError, WriteError
from foveal.flows.clip_classify import clip_classify
from foveal.flows.clip_convert import clip_convert
from foveal.tasks import image_text

HERE = Path(__file__).parent / "clip_convert"


@pytest.fixture(scope="module")
def tiny():
    spec = importlib.util.spec_from_file_location("tiny_clip", HERE / "tiny.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def expected():
    return json.loads((HERE / "expected.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    tiny.write(folder)
    return folder


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("converted") / "run"
    document = clip_convert(folder, out=out)
    assert document["dimensions"] == 12
    return image_text.load(out / "model")


def test_texts_become_the_same_numbers(model, expected):
    for text, numbers in expected["tokens"].items():
        assert model.tokenizer.encode(text) == numbers, text


def test_texts_and_pictures_become_the_same_vectors(model, tiny, expected):
    texts = model.texts(list(expected["tokens"]))
    with torch.no_grad():
        images = model.network.images(tiny.images()).numpy()

    np.testing.assert_allclose(texts, np.array(expected["texts"]), atol=2e-6)
    np.testing.assert_allclose(images, np.array(expected["images"]), atol=2e-6)
    logits = model.scale * images @ texts.T
    np.testing.assert_allclose(logits, np.array(expected["logits_per_image"]), atol=2e-5)


def test_the_layout_of_open_clip_gives_the_same_network(model, tiny, tmp_path):
    tiny.write_open(tmp_path / "theirs")
    clip_convert(tmp_path / "theirs", out=tmp_path / "run")

    other = image_text.load(tmp_path / "run" / "model")

    assert other.form == model.form
    assert other.preprocess.mean == (0.5, 0.4, 0.3)
    theirs, ours = other.network.state_dict(), model.network.state_dict()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in ours)


def test_a_network_of_open_clip_that_ours_is_not_is_refused(tiny, tmp_path):
    tiny.write_open(tmp_path / "theirs")
    path = tmp_path / "theirs" / "open_clip_config.json"
    config = json.loads(path.read_text("utf-8"))
    config["model_cfg"]["vision_cfg"]["timm_model_name"] = "resnet50"
    path.write_text(json.dumps(config), "utf-8")

    with pytest.raises(DataError, match="says timm_model_name") as error:
        clip_convert(tmp_path / "theirs", out=tmp_path / "run")

    assert error.value.code == "bad_weights"


def test_a_run_is_replaced_by_force_alone_and_nothing_of_it_stays(folder, tmp_path):
    run = tmp_path / "run"
    clip_convert(folder, out=run)
    for name in ("report.html", "history.jsonl", "split.json", "mine.txt"):
        (run / name).write_text("of another network", "utf-8")

    with pytest.raises(WriteError, match="it holds a run"):
        clip_convert(folder, out=run)
    document = clip_convert(folder, out=run, force=True)

    assert {path.name for path in run.iterdir()} == {
        ".lock",
        "env.json",
        "converted.json",
        "model",
        "mine.txt",
    }
    assert json.loads((run / "converted.json").read_text("utf-8")) == document


def test_the_run_is_asked_as_any_other(folder, tmp_path):
    clip_convert(folder, out=tmp_path / "run")
    Image.new("RGB", (40, 30), (200, 30, 30)).save(tmp_path / "red.png")

    document = clip_classify(tmp_path / "run", [str(tmp_path / "red.png")], classes=["red", "blue"])

    assert sum(document["predictions"][0]["scores"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("config.json", lambda found: {**found, "model_type": "siglip"}, "model_type 'siglip', not 'clip'"),
        ("vocab.json", lambda found: {"a": 0}, "holds no CLIP network that can be read"),
        (
            "vocab.json",
            lambda found: {key: value for key, value in found.items() if key != "<|startoftext|>"},
            "has no <|startoftext|>",
        ),
        ("vocab.json", lambda found: {**found, "more": 10**6}, "vocabulary has 1000001 numbers"),
        (
            "config.json",
            lambda found: {**found, "text_config": {**found["text_config"], "hidden_act": "relu"}},
            "its activation is relu",
        ),
        (
            "config.json",
            lambda found: {**found, "text_config": {**found["text_config"], "num_hidden_layers": 3}},
            "text_model.encoder.layers.2",
        ),
    ],
)
def test_another_network_is_refused(folder, tmp_path, name, change, told):
    copy = shutil.copytree(folder, tmp_path / "copy")
    found = json.loads((copy / name).read_text("utf-8"))
    (copy / name).write_text(json.dumps(change(found)), "utf-8")

    with pytest.raises(DataError, match=told) as error:
        clip_convert(copy, out=tmp_path / "run")

    assert error.value.code == "bad_weights"
    assert not (tmp_path / "run").exists()


def test_a_missing_or_damaged_file_is_named(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[:-5])
    with pytest.raises(DataError, match="holds no CLIP network"):
        clip_convert(copy, out=tmp_path / "run")
    (copy / "merges.txt").unlink()
    with pytest.raises(NotFoundError, match=r"has no merges\.txt"):
        clip_convert(copy, out=tmp_path / "run")
