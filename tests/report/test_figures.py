"""report.figures: files that are the same on every run, with the drawn numbers beside each drawing."""

import base64
import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import WriteError
from foveal.report.comparisons import class_recalls, confusion, robustness
from foveal.report.figures import page_charts, write_figures

Document = dict[str, Any]
SVG = "{http://www.w3.org/2000/svg}"
ALWAYS = {"reliability", "risk_coverage", "robustness"}
TABLES = {"class_recall", "confusion"}


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()).strip() for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_every_drawing_is_svg_without_outside_reference_or_date(
    document: Document, history: list[Any]
) -> None:
    drawn = page_charts(document, history)
    table = confusion(document["confusion"], document["classes"])

    assert set(drawn) == ALWAYS | {"learning_loss", "learning_accuracy"}
    for chart in (*drawn.values(), table):
        root = ElementTree.fromstring(chart.svg)
        assert root.tag == f"{SVG}svg"
        links = [value for e in root.iter() for key, value in e.attrib.items() if key.endswith("href")]
        assert all(link.startswith(f"#{chart.name}-") for link in links)
        assert "metadata" not in chart.svg


def test_figures_are_written_with_their_numbers_and_the_same_every_time(
    document: Document, history: list[Any], tmp_path: Path
) -> None:
    written = write_figures(document, history, tmp_path / "a" / "figures")
    again = write_figures(document, history, tmp_path / "b")

    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in again]
    assert {path.stem for path in written} == ALWAYS | TABLES | {"learning_loss", "learning_accuracy"}
    assert all(path.with_suffix(".csv").is_file() for path in written)


def test_csv_holds_the_numbers_that_were_drawn(
    document: Document, history: list[Any], tmp_path: Path
) -> None:
    write_figures(document, history, tmp_path)

    rows = list(csv.reader(io.StringIO((tmp_path / "confusion.csv").read_text(encoding="utf-8"))))
    assert rows[0] == ["truth", *document["classes"]]
    assert [[int(n) for n in row[1:]] for row in rows[1:]] == document["confusion"]
    curve = list(csv.DictReader(io.StringIO((tmp_path / "learning_loss.csv").read_text(encoding="utf-8"))))
    assert [float(row["loss"]) for row in curve] == [row["loss"] for row in history]


def test_a_readers_matplotlib_settings_change_nothing(document: Document) -> None:
    import matplotlib

    before = page_charts(document)["reliability"].svg
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert page_charts(document)["reliability"].svg == before


@pytest.mark.parametrize("rows", [0, 1])
def test_a_history_that_is_no_curve_is_not_drawn(document: Document, history: list[Any], rows: int) -> None:
    assert set(page_charts(document, history[:rows])) == ALWAYS


def test_history_without_accuracy_gives_only_the_loss(document: Document, history: list[Any]) -> None:
    drawn = page_charts(document, [{**row, "accuracy": None} for row in history])

    assert set(drawn) == ALWAYS | {"learning_loss"}


def test_unproven_threshold_is_not_marked(document: Document, unproven: Document) -> None:
    marked, unmarked = (page_charts(d)["risk_coverage"] for d in (document, unproven))

    assert "chosen" in texts(marked.svg)
    assert "chosen" not in texts(unmarked.svg)
    assert "chosen" not in unmarked.says


def test_what_was_not_measured_is_not_drawn(document: Document) -> None:
    assert set(page_charts({**document, "robustness": []})) == ALWAYS - {"robustness"}


def test_weakest_class_stands_on_top(document: Document) -> None:
    chart = class_recalls(document["metrics"]["per_class"])
    heights = {
        "".join(e.itertext()).strip(): float(e.attrib["y"])
        for e in ElementTree.fromstring(chart.svg).iter(f"{SVG}text")
        if "y" in e.attrib
    }

    recalls = {row["class"]: row["recall"]["value"] for row in document["metrics"]["per_class"]}
    assert [row[0] for row in chart.rows] == sorted(recalls, key=lambda name: recalls[name])
    assert heights[chart.rows[0][0]] < heights[chart.rows[-1][0]]


def test_names_are_drawn_as_they_are_written_and_cut_when_long() -> None:
    names = ["price in $ and $", "<b>&", "ünï 水 🙂", "x" * 60, "broken\udcff\x01"]
    matrix = [[5 if i == j else 0 for j in range(5)] for i in range(5)]

    chart = confusion(matrix, names)

    shown = texts(chart.svg)
    assert {"price in $ and $", "<b>&", "ünï 水 🙂", "x" * 27 + "…", "broken\\udcff\\x01"} <= set(shown)
    assert "broken\\udcff\\x01" in chart.csv
    assert chart.csv.encode()


def test_numbers_stand_in_the_cells_only_while_there_is_room() -> None:
    def diagonal(side: int) -> list[list[int]]:
        return [[777 if i == j else 0 for j in range(side)] for i in range(side)]

    few = confusion(diagonal(25), [f"c{k}" for k in range(25)])
    many = confusion(diagonal(26), [f"c{k}" for k in range(26)])

    assert texts(few.svg).count("777") == 25
    assert "777" not in texts(many.svg)


def test_many_classes_are_one_picture_with_a_pixel_per_cell() -> None:
    side = 1000
    matrix = np.zeros((side, side), dtype=int)
    matrix[np.arange(side), np.arange(side)] = 3
    matrix[7, 900] = 2

    chart = confusion(matrix.tolist(), [f"class {k}" for k in range(side)])

    address = re.search(r'href="(data:image/png;base64,[^"]*)"', chart.svg)
    assert address is not None
    content = base64.b64decode(address[1].partition(",")[2])
    seen = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))[:, :, 3] > 0
    assert np.array_equal(seen, matrix > 0)
    assert len(chart.svg) < 500_000
    assert not {"class 0", "class 999"} & set(texts(chart.svg))
    assert len(chart.rows) == side, "the CSV has them all"


def test_of_many_classes_only_the_weakest_recalls_are_drawn() -> None:
    value = {"low": 0.0, "high": 1.0, "n": 1000}
    rows = [
        {"class": f"class {k}", "n": 1000, "recall": {"value": k / 1000, **value}, "precision": None}
        for k in range(1000)
    ]

    chart = class_recalls(rows)

    assert chart.title == "Recall of the 100 weakest of 1,000 classes"
    assert {"class 0", "class 99"} <= set(texts(chart.svg))
    assert "class 100" not in texts(chart.svg)
    assert len(chart.svg) < 500_000
    assert len(chart.rows) == 1000, "the CSV has them all"


def test_robustness_shows_the_worst_disturbance_first(document: Document) -> None:
    chart = robustness(document["robustness"][::-1])

    assert chart.says == "undisturbed 95.0%; gaussian blur 40.0%; brightness 90.0%"
    assert chart.rows[:2] == (
        ("none", 0, 0.95, 0.927, 0.967, 500),
        ("gaussian_blur", 3, 0.4, 0.357, 0.444, 500),
    )


def test_folder_that_cannot_be_made_is_refused(document: Document, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")

    with pytest.raises(WriteError, match=r"cannot write figures to .*file"):
        write_figures(document, [], tmp_path / "file")
