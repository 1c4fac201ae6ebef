"""A line of pairs: each picture gets its template; one that does not fit is never accepted."""

import hashlib
import threading

import numpy as np
import pytest
from PIL import Image, ImageFilter

from board_textures import defective, png, seal_comparing, texture
from foveal.core.errors import UsageError
from foveal.data.pair import joined
from foveal.flows.inspect_run import Wishes, inspect_run
from foveal.station.reading import Reading


@pytest.fixture(scope="module")
def comparing(classifier, draft, tmp_path_factory):
    return seal_comparing(tmp_path_factory.mktemp("pairs") / "pairs.foveal", classifier, draft)


@pytest.fixture
def boards(tmp_path):
    """Boards of two types: a good one of each, one with a defect, and one that is none."""
    folder, templates = tmp_path / "boards", tmp_path / "templates"
    folder.mkdir()
    templates.mkdir()
    for name, seed in (("a", 0), ("ab", 1)):
        (templates / f"{name}.png").write_bytes(png(texture(seed)))
        (folder / f"{name}-good.png").write_bytes(png(texture(seed)))
    (folder / "a-bad.png").write_bytes(png(defective(0)))
    misplaced = {"shifted": np.roll(texture(0), (40, 25), (0, 1)), "turned": np.rot90(texture(0)).copy()}
    blurred = np.asarray(Image.fromarray(texture(0)).filter(ImageFilter.GaussianBlur(6)))
    badly_taken = {"dark": texture(0) // 10, "blurred": blurred}
    for name, pixels in {**misplaced, **badly_taken, "other": texture(9)}.items():
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
    assert found["a-blurred.png"] == ("review", ["blurred"])
    assert found["a-dark.png"][0] == "review"
    assert "too_dark" in found["a-dark.png"][1]
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
    for name, pixels in (("t", texture(0)), ("1", texture(0)), ("2", defective(0))):
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
