"""The command line with what looks for defects: what is told and drawn, and what is refused."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from foveal.cli._main import run
from scene_graphs import DARK, GROUND, LIGHT, picture


@pytest.fixture
def foveal(capsys):
    """Return what runs a line here and returns what it printed; its exit code is as expected."""

    def line(*arguments, code: int = 0) -> str:
        ended = run([str(one) for one in arguments])
        printed = capsys.readouterr()
        assert ended == code, printed.err
        return printed.out

    return line


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("parts")
    for name, cells in {"bad": [(1, 2, LIGHT), (3, 0, DARK)], "good": []}.items():
        Image.fromarray(picture(*cells)).save(folder / f"{name}.png")
    return folder


def test_predictions_tell_score_and_shares(foveal, suspecter, pictures) -> None:
    [bad, good] = json.loads(foveal("predict", suspecter, pictures, "--json"))["predictions"]

    assert (bad["score"], good["score"]) == (LIGHT - GROUND, 0)
    assert list(bad["areas"]) == ["dark", "light"]
    assert 0 < bad["areas"]["dark"] < bad["areas"]["light"] < 0.2
    assert "objects" not in bad
    people = foveal("predict", suspecter, pictures, "-q")
    assert "bad.png: score 110; light" in people
    assert "good.png: score 0" in people


def test_a_table_has_a_row_for_each_kind(foveal, suspecter, pictures) -> None:
    rows = list(csv.DictReader(foveal("predict", suspecter, pictures, "--csv", "-q").splitlines()))

    assert [(row["label"], float(row["score"])) for row in rows] == [
        ("dark", 110),
        ("light", 110),
        ("dark", 0),
        ("light", 0),
    ]
    assert float(rows[1]["share"]) > 0 == float(rows[3]["share"])


def test_heat_and_kinds_are_drawn(foveal, suspecter, pictures, tmp_path) -> None:
    foveal("predict", suspecter, pictures, "--draw", tmp_path / "drawn", "-q")

    bad, good = (np.asarray(Image.open(tmp_path / f"drawn/{name}.drawn.jpg")) for name in ("bad", "good"))
    kinds = np.asarray(Image.open(tmp_path / "drawn/bad.classes.png"))
    assert np.abs(good.astype(int) - GROUND).max() < 6  # what is good keeps its colours
    assert np.ptp(bad[12, 20].astype(int)) > 60
    assert np.unique(kinds).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "MODEL", "DATA", "--monitor"),
        ("explain", "MODEL", "DATA"),
        ("certify", "MODEL", "DATA"),
        ("optimize", "MODEL", "DATA", "--out", "OUT"),
        ("batch", "MODEL", "DATA", "--out", "OUT", "--scores"),
    ],
)
def test_what_is_not_done_with_defects_is_refused(arguments, foveal, suspecter, pictures, tmp_path) -> None:
    places = {"MODEL": suspecter, "DATA": pictures, "OUT": tmp_path / "out"}

    error = json.loads(foveal(*(places.get(one, one) for one in arguments), "--json", code=2))["error"]

    assert error["code"] in ("other_task", "usage")
    assert "Traceback" not in error["message"]


def test_info_says_what_is_shown(foveal, suspecter) -> None:
    assert "places from 40, 40 on, by kind (5 calibration images)" in " ".join(
        foveal("info", suspecter).split()
    )
