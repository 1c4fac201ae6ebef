"""A line of pairs: each picture gets its template; one that does not fit is never accepted."""

import hashlib
import io
import threading

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import UsageError
from foveal.data.pair import joined
from foveal.flows.inspect_run import Wishes, inspect_run
from foveal.station.reading import Reading

# Of three layers `red` is the inspected picture, `green` the template and `blue` their difference.
RULE = {"accept_below": 0.042, "reject_from": 0.045, "chosen": ["accept_below", "reject_from"]}
PAIRS = {"size": 64, "channels": 3, "mean": [0, 0, 0], "std": [1, 1, 1], "pair": "registered"}


def texture(seed):
    rng = np.random.default_rng(seed)
    coarse = rng.permutation(np.arange(144) % 2).reshape(12, 12).astype(np.uint8) * 160 + 40
    return np.kron(coarse, np.ones((16, 16), np.uint8))


def png(pixels) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()


@pytest.fixture(scope="module")
def comparing(classifier, draft, tmp_path_factory):
    """A recognizer of pairs whose score is how much they differ."""
    from foveal.bundle import archive, golden
    from foveal.bundle.engines.onnxruntime import onnxruntime

    model = classifier(size=64)
    stated = draft(preprocess=PAIRS, inspection={**RULE, "good": ["red", "green"]})
    path = tmp_path_factory.mktemp("pairs") / "pairs.foveal"
    vectors = golden.measure(onnxruntime(model, threads=1), stated.preprocess)
    archive.seal(path, stated, model=model, golden=vectors, force=True)
    return path


@pytest.fixture
def boards(tmp_path):
    """Boards of two types: a good one of each, one with a defect, and one that is none."""
    folder, templates = tmp_path / "boards", tmp_path / "templates"
    folder.mkdir()
    templates.mkdir()
    for name, seed in (("a", 0), ("ab", 1)):
        (templates / f"{name}.png").write_bytes(png(texture(seed)))
        (folder / f"{name}-good.png").write_bytes(png(texture(seed)))
    defective = texture(0)
    defective[48:96, 48:96] = 240 - defective[48:96, 48:96]
    (folder / "a-bad.png").write_bytes(png(defective))
    misplaced = {"shifted": np.roll(texture(0), (40, 25), (0, 1)), "turned": np.rot90(texture(0)).copy()}
    for name, pixels in {**misplaced, "other": texture(9)}.items():
        (folder / f"a-{name}.png").write_bytes(png(pixels))
    (folder / "c-good.png").write_bytes(png(texture(0)))
    return folder


@pytest.fixture
def judged(comparing, boards, tmp_path):
    """Run a line over the boards; return verdict and reasons by name."""

    def call(**wishes):
        told = []
        wishes = Wishes(tmp_path / "log", **wishes)
        inspect_run(
            comparing, str(boards), wishes, tell=told.append, say=lambda line: None, stop=threading.Event()
        )
        return {one["source"].rpartition("/")[2]: (one["verdict"], one["reasons"]) for one in told}

    return call


def test_each_type_has_its_template_and_what_fits_none_goes_to_a_person(judged, boards, tmp_path) -> None:
    found = judged(templates=tmp_path / "templates")

    assert found["a-good.png"] == found["ab-good.png"] == ("accept", [])
    assert found["a-bad.png"] == ("reject", ["defective"])
    for name in ("shifted", "turned", "other"):
        assert found[f"a-{name}.png"] == ("review", ["not_registered"])
    assert found["c-good.png"] == ("review", ["no_template"])
    contents = {one["source"][-10:]: one["content"] for one in Reading(tmp_path / "log").records()}
    pair = joined((boards / "a-bad.png").read_bytes(), (tmp_path / "templates" / "a.png").read_bytes())
    assert contents["/a-bad.png"] == hashlib.sha256(pair).hexdigest()


def test_one_template_is_for_all_and_a_wrong_one_accepts_nothing(judged, tmp_path) -> None:
    found = judged(template=tmp_path / "templates" / "ab.png")

    assert found.pop("ab-good.png") == ("accept", [])
    assert {verdict for verdict, _ in found.values()} <= {"review", "reject"}


def test_pictures_alone_are_refused_before_anything_is_decided(judged, tmp_path) -> None:
    with pytest.raises(UsageError) as caught:
        judged()

    assert caught.value.code == "no_template"
    assert not (tmp_path / "log").exists()


def test_a_data_set_of_pairs_is_judged_as_it_lies(comparing, tmp_path) -> None:
    (tmp_path / "data").mkdir()
    good, bad = texture(0), texture(0)
    bad[48:96, 48:96] = 240 - bad[48:96, 48:96]
    for name, pixels in (("t", good), ("1", good), ("2", bad)):
        (tmp_path / "data" / f"{name}.png").write_bytes(png(pixels))
    (tmp_path / "data" / "2.txt").write_text("48 48 96 96 short\n")
    (tmp_path / "data" / "1.txt").write_text("")
    rows = "image,template,annotation\n1.png,t.png,1.txt\n2.png,t.png,2.txt\n"
    (tmp_path / "data" / "pairs.csv").write_text(rows)
    told = []

    document, _ = inspect_run(
        comparing,
        str(tmp_path / "data"),
        Wishes(tmp_path / "log"),
        tell=told.append,
        say=lambda line: None,
        stop=threading.Event(),
    )

    assert [one["verdict"] for one in told] == ["accept", "reject"]
    assert document["pictures"] == 2
