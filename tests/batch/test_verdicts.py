"""`foveal batch` with a rule: each row says what is done with the part, also of what cannot be read."""

import numpy as np
import pytest
from PIL import Image

from board_textures import defective, png, seal_comparing, texture
from foveal.batch.formats._format import Said
from foveal.batch.formats.parquet import parquet
from foveal.bundle.inspecting import inspect, rule_of
from foveal.bundle.predictor import Predictor
from job_rows import rows

RULE = {
    "accept_below": 0.3,
    "reject_from": 0.7,
    "chosen": ["accept_below", "reject_from"],
    "good": ["green"],
    "quality": {"light_from": 20},
}


def test_rows_say_what_inspect_says(make_bundle, batch, collection, tmp_path) -> None:
    bundle = make_bundle(tmp_path / "ruled.foveal", inspection=RULE)
    for number, color in enumerate(((220, 30, 30), (30, 220, 30), (4, 4, 4))):
        Image.fromarray(np.full((12, 16, 3), color, np.uint8)).save(collection / f"{number:02}.jpg")

    result = batch(collection, "--out", tmp_path / "job", model=bundle)

    assert result.returncode == 0, result.stderr
    predictor = Predictor.open(bundle, threads=1)
    found = rows(tmp_path / "job" / "parts")
    for row in found:
        said = inspect(predictor, row["source"], row["source"], rule=rule_of(predictor)).judgement
        assert (row["verdict"], tuple(row["reasons"])) == (said.verdict, said.reasons)
        assert row["score"] == said.score
    by_name = {row["source"][-6:]: (row["verdict"], row["reasons"]) for row in found}
    assert by_name["00.jpg"] == ("reject", ["defective"])
    assert by_name["01.jpg"] == ("accept", [])
    assert by_name["02.jpg"] == ("review", ["too_dark"])
    assert by_name["05.jpg"] == ("review", ["truncated"])
    assert by_name["11.jpg"] == ("review", ["not_image"])


@pytest.mark.parametrize("task", ["classify", "detect"])
def test_in_parquet_verdict_score_and_reasons_are_columns(task) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    row = {"source": "a", "occurrence": 0, "content": None, "bundle": "b"}
    row |= {"verdict": "review", "score": 0.5, "reasons": ["unsure", "blurred"]}

    table = pq.read_table(pa.BufferReader(parquet.encode([row], Said(task, scores=False, judged=True))))

    [read] = table.to_pylist()
    assert (read["verdict"], read["score"], read["reasons"]) == ("review", 0.5, ["unsure", "blurred"])
    plain = pq.read_table(pa.BufferReader(parquet.encode([row], Said(task, scores=False))))
    assert "verdict" not in plain.column_names


def test_each_row_of_a_table_of_pairs_is_one(classifier, draft, batch, tmp_path) -> None:
    bundle = seal_comparing(tmp_path / "pairs.foveal", classifier, draft)
    for name, pixels in (("t", texture(0)), ("1", texture(0)), ("2", defective(0)), ("3", texture(9))):
        (tmp_path / f"{name}.png").write_bytes(png(pixels))
    (tmp_path / "pairs.csv").write_text(
        "image,template,annotation\n" + "".join(f"{n}.png,t.png,\n" for n in "123")
    )

    result = batch("pairs.csv", "1.png", "--out", tmp_path / "job", model=bundle)

    assert result.returncode == 0, result.stderr
    found = [(row["source"], row["verdict"], row["reasons"]) for row in rows(tmp_path / "job" / "parts")]
    assert found == [
        ("1.png", "accept", []),
        ("2.png", "reject", ["defective"]),
        ("3.png", "review", ["not_registered"]),
        ("1.png", "review", ["no_template"]),
    ]
