"""Batches of films: the job is that of pictures, and what is meant of folders and archives are films."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

import films
from foveal.batch import reading
from foveal.batch.item import file_item
from foveal.bundle.predictor import Predictor
from foveal.core.errors import MissingExtraError
from foveal.data.decode import LIMITS
from foveal.flows import batch as flow
from foveal.flows.batch import Wishes
from job_rows import rows, told

pytest.importorskip("av")


@pytest.fixture
def folder(tmp_path):
    """Six films, one of them cut off, one twice; a picture and a list of something beside them."""
    root = tmp_path / "films"
    for number in range(5):
        films.write(root / f"{number}.mp4", films.sliding(1, seed=number), codec="mpeg4", pixels="yuv420p")
    (root / "3.mp4").write_bytes((root / "3.mp4").read_bytes()[:700])
    (root / "5.mp4").write_bytes((root / "0.mp4").read_bytes())
    Image.new("RGB", (20, 20)).save(root / "poster.png")
    return root


@pytest.fixture
def batch(clip_bundle, tmp_path):
    def run(*arguments):
        line = [sys.executable, "-m", "foveal", "batch", str(clip_bundle), *map(str, arguments)]
        return subprocess.run(
            [*line, "--json", "-q"], capture_output=True, text=True, check=False, cwd=tmp_path
        )

    return run


def test_every_film_has_the_row_that_predict_gives_it(batch, folder, clip_bundle, tmp_path):
    result = batch(folder, "--out", tmp_path / "job", "--scores", "--workers", 1)

    assert result.returncode == 0, result.stdout
    document = told(result)
    assert (document["images"], document["done"], document["failed"]) == (6, 5, 1)
    assert document["left_out"]["no_picture"] == 1
    found = {row["source"].rpartition("/")[2]: row for row in rows(tmp_path / "job" / "parts")}
    assert list(found) == [f"{number}.mp4" for number in range(6)]
    assert found["3.mp4"]["error"]["code"] in ("not_video", "truncated", "corrupt")
    predictor = Predictor.open(clip_bundle, engine=document["engine"], threads=1)
    for number in (0, 1, 2, 4, 5):
        [expected] = predictor.predict(folder / f"{number}.mp4")
        scores = found[f"{number}.mp4"]["scores"]
        np.testing.assert_allclose(list(scores.values()), list(expected.scores.values()), atol=1e-6)


def test_films_of_archives_tables_and_copies(batch, folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        for name in ("0.mp4", "5.mp4", "poster.png"):
            archive.write(folder / name, name)
    (tmp_path / "table.csv").write_text("path\nfilms/1.mp4\nfilms/poster.png\n")

    result = batch("films.zip", "table.csv", "--out", "rows.jsonl", "--once", "--workers", 1)

    assert result.returncode == 0, result.stdout
    document = told(result)
    assert (document["images"], document["copies"], document["failures"]) == (4, 1, {"not_video": 1})


def test_a_film_may_be_longer_than_a_picture(tmp_path):
    path = tmp_path / "long.mp4"
    with path.open("wb") as file:
        file.truncate(LIMITS.content_bytes + 1000)

    item = file_item(str(path))
    assert len(reading.content(item, tmp_path, {}, films=True)) == LIMITS.content_bytes + 1000
    assert len(reading.content(item, tmp_path, {})) == LIMITS.content_bytes + 1


def test_without_the_extra_no_job_begins(clip_bundle, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("foveal.core.extras.missing", lambda extra: ["av"] if extra == "video" else [])

    with pytest.raises(MissingExtraError, match=r"foveal\[video\]"):
        flow.batch(clip_bundle, [str(folder)], tmp_path / "job", wishes=Wishes())
    assert not (tmp_path / "job").exists()
