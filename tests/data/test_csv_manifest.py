"""data.formats.csv_manifest: a table says what is what; its mistakes are named by line."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from foveal.core.errors import DataError, UsageError
from foveal.data import inventory as inventories
from foveal.data import opening
from foveal.data import split as splits
from foveal.data.formats._group_keys import either, joined


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures in a folder whose subfolders are no classes."""
    rng = np.random.default_rng(0)
    (tmp_path / "shots").mkdir()
    for number in range(12):
        pixels = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "shots" / f"{number:02}.png")
    return tmp_path


def manifest(folder: Path, *lines: str, name: str = "parts.csv", encoding: str = "utf-8") -> Path:
    (folder / name).write_text("\n".join(lines) + "\n", encoding=encoding)
    return folder


def rows(extra: str = "") -> list[str]:
    return [f"shots/{i:02}.png,{'dent' if i % 2 else 'ok'}{extra.format(i=i)}" for i in range(12)]


def test_labels_are_those_of_the_table_and_not_of_the_folders(folder: Path) -> None:
    dataset = opening.open(manifest(folder, "path,label", *rows()))

    assert (dataset.format, dataset.classes, len(dataset)) == ("csv_manifest", ("dent", "ok"), 12)
    assert {dataset.sources[i]: dataset.classes[k] for i, k in enumerate(dataset.labels)}[
        "shots/03.png"
    ] == "dent"
    assert inventories.take(dataset).readable.all()


def test_the_table_may_be_named_itself(folder: Path) -> None:
    manifest(folder, "path,label", *rows())
    manifest(folder, "path,label", *rows()[:4], name="few.csv")

    assert len(opening.open(folder / "few.csv")) == 4
    assert inventories.take(opening.open(folder / "few.csv")).readable.all()
    with pytest.raises(DataError, match=r"several manifests: few\.csv, parts\.csv"):
        opening.open(folder)


@pytest.mark.parametrize(
    ("lines", "name", "encoding"),
    [
        (["path;label", "shots/00.png;ok", "shots/01.png;dent, deep"], "a.csv", "utf-8-sig"),
        (["path\tlabel", "shots/00.png\tok", "shots/01.png\tdent, deep"], "a.tsv", "utf-8"),
        (["label,path", "ok,shots/00.png", '"dent, deep",.\\shots\\01.png'], "a.csv", "utf-8"),
    ],
)
def test_tables_of_spreadsheets_are_read(folder: Path, lines: list[str], name: str, encoding: str) -> None:
    dataset = opening.open(manifest(folder, *lines, name=name, encoding=encoding))

    assert dataset.classes == ("dent, deep", "ok")
    assert sorted(dataset.sources) == ["shots/00.png", "shots/01.png"]


def test_splits_and_groups_are_columns(folder: Path) -> None:
    lines = [f"{row},{'Testing' if i >= 8 else 'train'},p{i // 4}" for i, row in enumerate(rows())]

    dataset = opening.open(manifest(folder, "path,label,split,part", *lines), group="part")

    assert [dataset.splits.count(name) for name in ("train", "test")] == [8, 4]
    assert dataset.grouped_by == ("part",)
    assert set(dataset.groups or ()) == {"group p0", "group p1", "group p2"}
    with pytest.raises(UsageError, match="has no 'nix'"):
        opening.open(folder, group="nix")


def test_no_group_is_torn_apart_and_without_the_column_some_are(folder: Path) -> None:
    lines = [f"{row},{i // 3}" for i, row in enumerate(rows())]
    manifest(folder, "path,label,group", *lines)

    def torn(dataset) -> int:
        place = {int(source[6:8]) // 3: set() for source in dataset.sources}
        split = splits.make(dataset, inventories.take(dataset), seed=0)
        for role in splits.ROLES:
            for i in split.role(role):
                place[int(dataset.sources[i][6:8]) // 3].add(role)
        return sum(len(roles) > 1 for roles in place.values())

    assert torn(opening.open(folder)) == 0
    manifest(folder, "path,label,nothing", *lines)
    assert torn(opening.open(folder)) > 0


def test_a_picture_that_is_not_there_is_one_that_cannot_be_read(folder: Path) -> None:
    dataset = opening.open(manifest(folder, "path,label", *rows(), "shots/99.png,ok"))

    errors = [error for error in inventories.take(dataset).error if error]

    assert [error.code for error in errors] == ["io_error"]


def test_the_same_inside_a_zip(folder: Path, tmp_path: Path) -> None:
    manifest(folder, "path,label", *rows(), "shots/99.png,ok")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in [folder / "parts.csv", *(folder / "shots").iterdir()]:
            archive.write(path, path.relative_to(folder))

    dataset = opening.open(tmp_path / "all.zip")

    assert dataset.format == "csv_manifest"
    assert inventories.take(dataset).readable.sum() == 12


def test_a_table_wins_over_class_folders_and_names_what_it_leaves_out(folder: Path) -> None:
    dataset = opening.open(manifest(folder, "path,label", *rows()[:3]))

    assert dataset.format == "csv_manifest"
    assert "shots/05.png" in dataset.ignored


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("../secret.png,ok", "no path below"),
        ("/etc/passwd,ok", "no path below"),
        ("C:/x.png,ok", "no path below"),
        (",ok", "no path below"),
        ("shots/00.png,", "has no label"),
        ("shots/00.png", "1 cells under 2 columns"),
        ("shots/01.png,ok", "is on line 2, too"),
    ],
)
def test_a_mistake_is_named_with_its_line(folder: Path, line: str, said: str) -> None:
    with pytest.raises(DataError, match=rf"line 3: .*{said}") as caught:
        opening.open(manifest(folder, "path,label", "shots/01.png,dent", line))

    assert caught.value.code == "bad_manifest"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["path,label,split", "shots/00.png,ok,later"], "'later' is no split"),
        (["path,label,split", "shots/00.png,ok,train", "shots/01.png,ok,"], "other lines have one"),
        (["path,label,label", "shots/00.png,ok,ok"], "there twice"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(folder: Path, lines: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        opening.open(manifest(folder, *lines))


def test_a_table_of_something_else_is_no_manifest(folder: Path) -> None:
    assert opening.open(manifest(folder, "name,price", "x,3")).format == "image_folder"


def test_one_file_in_several_spellings_is_listed_twice(folder: Path) -> None:
    for other in ("a//1.png", "a/./1.png", "./a/1.png", "a\\1.png"):
        (folder / "set.csv").write_text(f"path,label\na/1.png,cat\n{other},dog\n", encoding="utf-8")

        with pytest.raises(DataError, match="line 3: 'a/1.png' is on line 2, too"):  # noqa: RUF043
            opening.open(folder)


def test_names_of_columns_are_read_in_any_case(folder: Path) -> None:
    (folder / "set.csv").write_text("Path,LABEL,Split\na.png,cat,train\nb.png,dog,Test\n", encoding="utf-8")

    assert opening.open(folder).splits == ("train", "test")


@pytest.mark.parametrize("column", ["patient", "Patient_ID", "subjectId", "TRACK"])
def test_a_column_that_is_nearly_called_as_usual_keeps_together_too(folder: Path, column: str) -> None:
    (folder / "set.csv").write_text(f"path,label,{column}\na,cat,1\nb,dog,1\nc,dog,2\n", encoding="utf-8")

    dataset = opening.open(folder)

    assert dataset.groups == ("group 1", "group 1", "group 2")
    assert dataset.grouped_by == (column,)
    assert opening.open(folder, group="none").groups is None
    assert opening.open(folder, group="none").not_grouped_by == (column,)


def test_of_two_usual_columns_the_larger_whole_counts(folder: Path) -> None:
    rows = "a,cat,1,7\nb,dog,2,7\nc,cat,3,8\n"
    (folder / "set.csv").write_text(f"path,label,track,patient\n{rows}", encoding="utf-8")

    dataset = opening.open(folder)

    assert (dataset.grouped_by, dataset.not_grouped_by) == (("patient",), ("track",))


def test_a_column_that_repeats_the_classes_keeps_nothing_together_unless_asked(folder: Path) -> None:
    (folder / "set.csv").write_text("path,label,person\na,ann,1\nb,ann,1\nc,bob,2\n", encoding="utf-8")

    assert opening.open(folder).groups is None
    assert opening.open(folder, group="person").groups is not None


@given(
    st.lists(st.tuples(st.text("a/\\+", min_size=1), st.text("a/\\+", min_size=1)), min_size=2, max_size=20)
)
def test_two_columns_make_one_group_only_where_both_are_equal(pairs: list[tuple[str, str]]) -> None:
    columns = {"u": [u for u, _ in pairs], "v": [v for _, v in pairs]}

    groups = joined(columns, ["u", "v"], [str(i) for i in range(len(pairs))])

    assert len(set(groups)) == len(set(pairs))


def test_a_list_of_groups_beside_the_table_is_used(folder: Path) -> None:
    (folder / "set.csv").write_text("path,label,shift\na,cat,1\nb,dog,2\nc,dog,2\n", encoding="utf-8")
    (folder / "groups.csv").write_text("picture,group\na,7\nb,7\n", encoding="utf-8")

    dataset = opening.open(folder)

    assert dataset.groups == ("group 7", "group 7", "alone c")
    assert dataset.not_grouped_by == ("shift",)
    assert "groups.csv" not in dataset.ignored


def test_a_list_of_groups_adds_to_a_column(folder: Path) -> None:
    lines = ["a,cat,1", "b,cat,1", "c,cat,2", "d,cat,", "e,cat,", "f,cat,", "g,cat,x/"]
    (folder / "set.csv").write_text("\n".join(["path,label,patient", *lines, ""]), encoding="utf-8")
    assert opening.open(folder).groups == (
        *("group 1", "group 1", "group 2", "alone d", "alone e", "alone f"),
        "group x/",
    )
    (folder / "groups.csv").write_text("picture,group\nb,7\nc,7\ne,1\nf,1\n", encoding="utf-8")

    dataset = opening.open(folder)

    assert dataset.groups == (*["group 1/7"] * 3, "alone d", *["group /1"] * 2, r"group x\/")
    assert (dataset.grouped_by, dataset.not_grouped_by) == (("patient",), ())
    asked = opening.open(folder, group="patient")
    assert asked.groups is not None
    assert asked.groups[1:3] == ("group 1", "group 2")
    assert asked.not_grouped_by == ("groups.csv",)


VALUES = st.sampled_from(["", "a", "b", "a/b", "/", "\\"])


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=9))
def test_what_either_links_is_one_group_and_nothing_else_is(pairs: list[tuple[str, str]]) -> None:
    keyed, listed = (
        [f"group {pair[k]}" if pair[k] else f"alone {i}" for i, pair in enumerate(pairs)] for k in (0, 1)
    )
    reach = np.array([[a == c or b == d for c, d in zip(keyed, listed, strict=True)]
                      for a, b in zip(keyed, listed, strict=True)])  # fmt: skip
    for _ in pairs:
        reach = reach @ reach

    groups = either(keyed, listed)

    assert np.array_equal(reach, np.array(groups)[:, None] == np.array(groups)[None, :])
    assert [group.startswith("alone ") for group in groups] == [not any(pair) for pair in pairs]


def test_a_list_of_groups_counts_beside_a_table_that_is_named_itself(folder: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (folder / name).write_bytes(b"")
    (folder / "set.csv").write_text("path,label\na.png,cat\nb.png,dog\n", encoding="utf-8")
    (folder / "groups.csv").write_text("picture,group\na.png,7\nb.png,7\nc.png,8\n", encoding="utf-8")

    dataset = opening.open(folder / "set.csv")

    assert dataset.groups == ("group 7", "group 7")
    assert dataset.ignored == ()
    (folder / "groups.csv").write_text("picture,group\na.png,7\nd.png,7\n", encoding="utf-8")
    with pytest.raises(DataError, match="'d.png,7' names no picture"):  # noqa: RUF043
        opening.open(folder / "set.csv")


def test_the_places_of_a_table_are_it_and_the_folders_that_it_lists_pictures_in(folder: Path) -> None:
    table, other = folder / "set.csv", folder / "other.csv"
    table.write_text("path,label\nshots/a/1.png,cat\nshots/2.png,dog\n", encoding="utf-8")
    other.write_text("path,label\nup/1.png,cat\n2.png,dog\n", encoding="utf-8")

    assert opening.places(table) == [table, folder / "shots", folder / "shots/a"]
    assert opening.places(other) == [other, folder, folder / "up"]
    assert opening.places(str(folder)) == [folder]
    assert opening.places(folder / "gone.csv") == [folder / "gone.csv"]
    assert opening.places("x" * 300 + ".csv") == [Path("x" * 300 + ".csv")]
    table.write_text("name,price\n", encoding="utf-8")
    assert opening.places(table) == [table]
    table.write_text("path,label\n../1.png,cat\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2"):
        opening.places(table)


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("gone")])
def test_what_is_nearly_a_list_of_groups_beside_a_named_table_is_an_error(folder: Path, make) -> None:
    (folder / "set.csv").write_text("path,label\na,cat\n", encoding="utf-8")
    make(folder / "Groups.CSV")

    with pytest.raises(DataError, match="'Groups.CSV' is not used"):  # noqa: RUF043
        opening.open(folder / "set.csv")


def test_a_damaged_table_beside_class_folders_does_not_hide_them(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("cat/1.png", "dog/1.png"):
            file.writestr(name, b"")
        file.writestr("notes.csv", "hello,world")
    path.write_bytes(path.read_bytes().replace(b"hello,world", b"hellX,world"))

    assert opening.open(path).format == "image_folder"


def test_pictures_that_change_their_roles_keep_their_places(folder: Path) -> None:
    found = []
    for turn in range(3):
        parts = [("train", "val", "test")[(i // 4 + turn) % 3] for i in range(12)]
        lines = [f"shots/{i:02}.png,{'dent' if i % 2 else 'ok'},{part}" for i, part in enumerate(parts)]
        found.append(opening.open(manifest(folder, "path,label,split", *lines[turn:], *lines[:turn])))

    assert found[0].sources == found[1].sources == found[2].sources
    assert len({one.splits for one in found}) == 3
    fingerprints = {inventories.take(one).fingerprint for one in found}
    assert len(fingerprints) == 1, "what is remembered of the same content is found by place"
