"""data.pairs: every way to write pairs down gives the same, and what is wrong is named with its line."""

import json

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import DataError, NotFoundError
from foveal.data.pairs import half_of_pairs, is_pairs, open_pairs


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (9, 7), (10 * len(name), 20, 30)).save(tmp_path / name)
    return tmp_path


ROWS = [("a.png", "a red, round thing"), ("b.png", "ein grünes Ding"), ("a.png", "red"), ("sub/c.png", "red")]


def written(folder, name):
    path = folder / name
    if name.endswith(".json"):
        path.write_text(json.dumps([{"file": p, "text": t, "class_name": "x"} for p, t in ROWS]), "utf-8")
        return path
    separator = "\t" if name.endswith(".tsv") else ","
    lines = [separator.join(("Path", "note", "Text"))]
    lines += [separator.join((p, "-", f'"{t}"')) for p, t in ROWS]
    path.write_text("\ufeff" + "\r\n".join(lines) + "\r\n\r\n", "utf-8", newline="")
    return path


@pytest.mark.parametrize("name", ["pairs.csv", "pairs.tsv", "pairs.json"])
def test_every_table_gives_the_same_pairs(folder, name):
    table = written(folder, name)

    for path in (table, folder):  # it is the only table in its folder
        pairs = open_pairs(path)
        assert pairs.sources == ("a.png", "b.png", "sub/c.png")
        assert pairs.texts == tuple(text for _, text in ROWS)
        assert np.array_equal(pairs.pictures, [0, 1, 0, 2])
        assert pairs.read(2).header().width == 9
        assert is_pairs(path)
    assert len(pairs) == 4
    assert len(pairs.dataset) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path,caption\na.png,red\n", "line 1: there is no column 'text' among path, caption"),
        ("file,text\na.png,red\n", "line 1: there is no column 'path'"),
        ("path,text\na.png,red\nb.png,  \n", "line 3: 'b.png' has an empty text"),
        ("path,text\na.png,red,round\n", "line 2: 3 cells under 2 columns"),
        ("path,text\na.png,red\na.png,red\n", "line 3: 'a.png' has the same text on line 2"),
        ("path,text,split\na.png,red,learn\n", "line 2: 'learn' is no split"),
        ("path,text,split\na.png,red,train\na.png,blue,test\n", "line 3: 'a.png' has another split here"),
        (
            "path,text,split\na.png,red,train\nb.png,blue,\n",
            "some pictures have a split, and others have none",
        ),
        ("path,text\n", "there is no pair"),
        ('path,text\na.png,"red\n', "unexpected end of data"),
    ],
)
def test_a_bad_table_is_refused_with_its_line(folder, text, told):
    (folder / "pairs.csv").write_text(text, "utf-8")

    with pytest.raises(DataError) as error:
        open_pairs(folder / "pairs.csv")

    assert told in str(error.value)
    assert error.value.code == "bad_pairs"
    assert "path,text" in str(error.value.hint)


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.png"])
def test_a_picture_elsewhere_is_refused_with_where_pictures_lie(folder, name):
    (folder / "pairs.csv").write_text(f"path,text\n{name},red\n", "utf-8")

    with pytest.raises(DataError, match="is no path below") as error:
        open_pairs(folder / "pairs.csv")

    assert error.value.code == "bad_pairs"
    assert error.value.hint == f"paths are relative to {folder}, and stay inside it"


@pytest.mark.parametrize(
    ("name", "content", "lacks"),
    [
        ("t.csv", "path,caption\na.png,red\n", "'text' among path, caption"),
        ("t.tsv", "file\ttext\na.png\tred\n", "'path' among file, text"),
        ("t.json", '[{"file": "a.png", "caption": "red"}]', "'text'"),
        ("t.json", '[{"image": "a.png", "text": "red"}]', "'path'"),
        ("t.csv", "path,text\na.png,red\n", None),
        ("t.csv", "image,caption\na.png,red\n", None),
        ("t.json", '[{"image": "a.png", "caption": "red"}]', None),
        ("t.json", "[1]", None),
        ("t.csv", "", None),
        ("t.txt", "path,caption\n", None),
    ],
)
def test_half_a_table_of_pairs_is_told_from_anything_else(folder, name, content, lacks):
    (folder / name).write_text(content, "utf-8")

    found = half_of_pairs(folder / name)

    assert (found is None) == (lacks is None)
    if found is not None:
        assert found.code == "bad_pairs"
        assert lacks in found.message
    assert half_of_pairs(folder / "gone.csv") is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"a.png": "red"}', "it is no list"),
        ("[1]", "row 1: it is no object"),
        ('[{"file": "a.png", "text": 3}]', "path, text and split are texts"),
        ('[{"text": "red"}]', "row 1: there is no 'path'"),
        ("[", "it is no JSON"),
    ],
)
def test_a_bad_json_is_refused(folder, content, told):
    (folder / "pairs.json").write_text(content, "utf-8")

    with pytest.raises(DataError, match=r"pairs\.json") as error:
        open_pairs(folder / "pairs.json")

    assert told in str(error.value)


def test_a_missing_picture_is_named_with_where_it_was_looked_for(folder):
    (folder / "pairs.csv").write_text("path,text\na.png,red\ngone.png,blue\n", "utf-8")

    with pytest.raises(NotFoundError, match=r"1 of 2 pictures of .* the first is gone\.png") as error:
        open_pairs(folder / "pairs.csv")

    assert str(folder) in str(error.value.hint)


def test_what_is_no_table_of_pairs_is_told_apart(folder, tmp_path):
    assert not is_pairs(folder)  # no table in it
    (folder / "labels.csv").write_text("path,label\na.png,red\n", "utf-8")
    assert not is_pairs(folder / "labels.csv")
    assert not is_pairs(folder / "a.png")
    written(folder, "pairs.csv")
    with pytest.raises(DataError, match=r"2 tables: labels\.csv, pairs\.csv"):
        open_pairs(folder)
    with pytest.raises(NotFoundError, match="does not exist"):
        open_pairs(folder / "nothing.csv")
