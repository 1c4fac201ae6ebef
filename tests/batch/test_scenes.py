"""`foveal batch` with what says where something is: one row for each picture, in both formats."""

import json
import signal

import numpy as np
import pytest
from PIL import Image

from foveal.batch.formats._format import Said
from foveal.batch.formats.jsonl import jsonl
from foveal.batch.formats.parquet import parquet
from foveal.bundle.predictor import Predictor, Unreadable
from job_rows import rows, told
from scene_graphs import DARK, LIGHT, box, picture

WHERE = [((0, 0, DARK), (3, 3, LIGHT)), (), ((1, 2, LIGHT),), ((2, 0, DARK), (2, 2, DARK))]


@pytest.fixture
def seen(tmp_path):
    """Eight pictures of three sizes, one that is text, and one that is another one again."""
    folder = tmp_path / "seen"
    folder.mkdir()
    for number in range(8):
        pixels = picture(*WHERE[number % 4], scale=1 + number % 3)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "8.png").write_text("no picture")
    (folder / "9.png").write_bytes((folder / "0.png").read_bytes())
    return folder


@pytest.mark.parametrize("model", ["finder", "outliner", "divider", "shader"])
def test_rows_hold_what_predict_says_in_pixels_of_each_picture(batch, seen, tmp_path, model, request) -> None:
    bundle = request.getfixturevalue(model)

    result = batch(seen, "--out", tmp_path / "job", "--shard-size", 3, "--once", model=bundle)

    assert result.returncode == 0, result.stderr
    document = told(result)
    assert (document["images"], document["done"], document["failed"]) == (10, 9, 1)
    assert (document["abstained"], document["copies"]) == (0, 1)
    found = {row["source"]: row for row in rows(tmp_path / "job" / "parts")}
    files = sorted(map(str, seen.iterdir()))
    assert sorted(found) == files
    answers = Predictor.open(bundle, threads=1).see_each(files, workers=1)
    for name, answer in zip(files, answers, strict=True):
        if isinstance(answer, Unreadable):
            assert found[name]["error"]["code"] == answer.error.code
        else:
            assert answer.as_json().items() <= found[name].items()


def test_what_is_known_to_be_there_is_in_the_rows(batch, seen, finder, tmp_path) -> None:
    batch(seen, "--out", tmp_path / "rows.jsonl", model=finder)

    found = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    for number, row in enumerate(found[:8]):
        wanted = WHERE[number % 4]
        scale = 1 + number % 3
        assert (row["width"], row["height"]) == (32 * scale, 32 * scale)
        assert sorted(one["box"] for one in row["objects"]) == sorted(box(r, c, scale) for r, c, _ in wanted)
        levels = [level for _, _, level in wanted]
        counts = {"dark": levels.count(DARK), "light": levels.count(LIGHT)}
        assert row["counts"] == {name: count for name, count in counts.items() if count}


def test_an_answer_that_makes_no_sense_is_a_row_with_an_error(batch, finder, tmp_path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(np.full((32, 32, 3), 1, np.uint8)).save(folder / "nonsense.png")
    Image.fromarray(picture(*WHERE[0])).save(folder / "sense.png")

    result = batch(folder, "--out", tmp_path / "job", model=finder)

    assert (result.returncode, told(result)["failures"]) == (0, {"model_output_invalid": 1})
    first, second = rows(tmp_path / "job" / "parts")
    assert first["error"]["code"] == "model_output_invalid"
    assert len(second["objects"]) == 2


def test_killed_anywhere_each_picture_has_its_row_once(batch, seen, finder, checker, tmp_path) -> None:
    undisturbed = tmp_path / "undisturbed"
    assert batch(seen, "--out", undisturbed, "--shard-size", 3, model=finder).returncode == 0

    for place in ("batch.part.write:kill@2", "batch.ledger.finish:kill@3"):  # in a worker, and in their owner
        line = (seen, "--out", tmp_path / place[6:10], "--shard-size", 3, "--workers", 1)
        hit = batch(*line, failpoints=place, model=finder)
        assert hit.returncode in (0, 75, -signal.SIGKILL), hit.stderr
        assert batch(*line, model=finder).returncode == 0
        assert checker.violations(tmp_path / place[6:10], finished=True, like=undisturbed) == []


def test_objects_are_a_column_that_others_read(batch, seen, finder, tmp_path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    batch(seen, "--out", tmp_path / "a.jsonl", "--shard-size", 4, model=finder)
    result = batch(seen, "--out", tmp_path / "a.parquet", "--shard-size", 4, model=finder)

    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column_names[4:] == ["width", "height", "objects", "counts", "error"]
    for line, row in zip(lines, table.to_pylist(), strict=True):
        assert (row["source"], row["width"], row["height"]) == (
            line["source"],
            line.get("width"),
            line.get("height"),
        )
        assert (row["objects"] is None) == ("error" in line)
        for stored, said in zip(row["objects"] or [], line.get("objects", []), strict=True):
            sides = stored.pop("box")
            assert [sides[side] for side in ("left", "top", "right", "bottom")] == said.pop("box")
            assert stored == said
        assert dict(row["counts"] or {}) == line.get("counts", {})
    # As any program does that unnests lists: one row for each object.
    whole = table["objects"].combine_chunks()
    flat = pa.Table.from_batches([pa.RecordBatch.from_struct_array(whole.flatten())])
    assert len(flat) == sum(len(line.get("objects", [])) for line in lines)


def test_areas_are_a_map_and_pandas_reads_it(batch, seen, shader, tmp_path) -> None:
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")

    batch(seen, "--out", tmp_path / "a.parquet", model=shader)

    table = pandas.read_parquet(tmp_path / "a.parquet")
    assert list(table.columns[4:]) == ["width", "height", "areas", "error"]
    shares = [dict(areas) for areas in table["areas"] if areas is not None]
    assert len(shares) == 9
    np.testing.assert_allclose([sum(one.values()) for one in shares], 1)
    assert shares[0] == {"ground": 14 / 16, "dark": 1 / 16, "light": 1 / 16}


@pytest.mark.parametrize("model", ["outliner", "divider"])
def test_outlines_are_a_column_in_the_pixels_of_each_picture(batch, seen, tmp_path, model, request) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    batch(seen, "--out", tmp_path / "a.parquet", model=request.getfixturevalue(model))

    table = pq.read_table(tmp_path / "a.parquet")
    assert ("areas" in table.column_names) is (model == "divider")
    for number, row in enumerate(table.to_pylist()[:8]):
        side = 32 * (1 + number % 3)
        assert len(row["objects"]) == len(WHERE[number % 4])
        for one in row["objects"]:
            outside, inside = one["mask"]["counts"][::2], one["mask"]["counts"][1::2]
            assert one["mask"]["size"] == [side, side]
            assert sum(outside) + sum(inside) == side * side
            assert sum(inside) == pytest.approx((side / 4) ** 2, rel=0.2), "one cell of sixteen"


def test_which_pixels_an_object_covers_is_kept_as_runs() -> None:
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    mask = {"size": [4, 6], "counts": [3, 2, 19]}
    one = {"label": "dark", "confidence": 0.75, "box": [0.0, 3.0, 2.0, 4.0], "mask": mask}
    about = {"source": "a.png", "occurrence": 0, "content": "c", "bundle": "b"}
    row = {**about, "width": 6, "height": 4, "objects": [one], "counts": {"dark": 1}, "areas": {"dark": 1.0}}

    for task, areas in (("instance", False), ("panoptic", True)):
        data = parquet.encode([row], Said(task, scores=False))
        table = pq.read_table(pa.BufferReader(data))
        assert table["objects"].to_pylist()[0][0]["mask"] == mask
        assert ("areas" in table.column_names) is areas
    assert json.loads(jsonl.encode([row], Said("instance", scores=False))) == row


def test_no_class_of_a_picture_has_a_score_and_no_folder_is_begun(batch, seen, finder, tmp_path) -> None:
    refused = batch(seen, "--out", tmp_path / "job", "--scores", model=finder)

    assert (refused.returncode, told(refused)["error"]["code"]) == (2, "other_task")
    assert not (tmp_path / "job").exists()


def test_another_recognizer_needs_another_folder(batch, seen, finder, shader, tmp_path) -> None:
    assert batch(seen, "--out", tmp_path / "job", model=finder).returncode == 0

    refused = batch(seen, "--out", tmp_path / "job", model=shader)

    assert (refused.returncode, told(refused)["error"]["code"]) == (2, "other_job")
