"""Equal pictures are answered once, if asked; new and changed ones are taken in, if asked."""

import json
import shutil
import tarfile

import pytest

from job_rows import by_name, rows, told


def without(row):
    return {name: value for name, value in row.items() if name not in ("source", "occurrence")}


@pytest.mark.parametrize("size", [2, 512])
def test_equal_pictures_are_answered_once_and_each_has_its_row(batch, collection, tmp_path, size) -> None:
    for number in range(20):
        shutil.copy(collection / "03.jpg", collection / f"z{number:02}.jpg")
    shutil.copy(collection / "11.jpg", collection / "zz.jpg")  # the one that is no picture

    plain = batch(collection, "--out", tmp_path / "plain")
    once = batch(collection, "--out", tmp_path / "once", "--once", "--shard-size", size)

    assert once.returncode == 0, once.stdout
    assert told(once)["copies"] == 21
    assert told(plain)["copies"] == 0
    ours, theirs = rows(tmp_path / "once" / "parts"), rows(tmp_path / "plain" / "parts")
    assert by_name(ours) == by_name(theirs)
    assert len(ours) == len(theirs) == 45
    sources = [row["source"].rpartition("/")[2] for row in ours]
    assert sources[sources.index("03.jpg") :][:21] == ["03.jpg", *(f"z{n:02}.jpg" for n in range(20))]


def test_a_copy_that_changed_since_it_was_listed_is_answered_by_itself(batch, collection, tmp_path) -> None:
    shutil.copy(collection / "03.jpg", collection / "z.jpg")
    line = (collection, "--out", tmp_path / "job", "--once")
    assert batch(*line, failpoints="batch.ledger.add:kill@1").returncode < 0
    shutil.copy(collection / "04.jpg", collection / "z.jpg")

    assert batch(*line).returncode == 0

    found = by_name(rows(tmp_path / "job" / "parts"))
    assert without(found["z.jpg"]) == without(found["04.jpg"]) != without(found["03.jpg"])


def test_new_and_changed_pictures_are_taken_in_and_what_was_is_kept(batch, collection, tmp_path) -> None:
    line = (collection, "--out", tmp_path / "rows.jsonl", "--shard-size", 5)
    assert batch(*line).returncode == 0
    job = tmp_path / "rows.jsonl.job"
    before = by_name(rows(job / "parts"))
    shutil.copy(collection / "04.jpg", collection / "new.jpg")
    shutil.copy(collection / "08.jpg", collection / "02.jpg")
    (collection / "20.jpg").unlink()

    assert told(batch(*line))["images_per_second"] == 0, "nobody asked"
    refreshed = told(batch(*line, "--refresh"))

    assert (refreshed["new"], refreshed["changed"], refreshed["removed"]) == (1, 1, 1)
    assert refreshed["images"] == 25
    after = by_name(json.loads(x) for x in (tmp_path / "rows.jsonl").read_text().splitlines())
    assert without(after["new.jpg"]) == without(before["04.jpg"])
    assert without(after["02.jpg"]) == without(before["08.jpg"])
    same = before.keys() - {"02.jpg"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    [old] = (job / "superseded").iterdir()
    assert by_name(json.loads(line) for line in old.read_text().splitlines())["02.jpg"] == before["02.jpg"]
    again = told(batch(*line, "--refresh"))
    assert (again["new"], again["changed"], again["removed"], again["images_per_second"]) == (0, 0, 1, 0)


@pytest.mark.parametrize(
    "place",
    [
        "batch.manifest.publish",
        "batch.ledger.reopen",
        "batch.ledger.add",
        "batch.ledger.finish",
        "batch.supersede.rename",
        "batch.publish.rename",
        "batch.join.write",
        "batch.joined.rename",
    ],
)
def test_killed_while_it_takes_changes_in_it_ends_as_if_it_was_not(
    batch, collection, checker, tmp_path, place
) -> None:
    line = (collection, "--shard-size", 5, "--out")
    for name in ("hit.jsonl", "whole.jsonl"):
        assert batch(*line, tmp_path / name).returncode == 0
    shutil.copy(collection / "04.jpg", collection / "new.jpg")
    for name in ("02", "13"):
        shutil.copy(collection / "08.jpg", collection / f"{name}.jpg")
    assert batch(*line, tmp_path / "whole.jsonl", "--refresh").returncode == 0

    hit = batch(*line, tmp_path / "hit.jsonl", "--refresh", failpoints=f"{place}:kill@1")
    assert hit.returncode == -9
    assert batch(*line, tmp_path / "hit.jsonl", "--refresh").returncode == 0

    assert (tmp_path / "hit.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert checker.violations(tmp_path / "hit.jsonl.job", finished=True) == []


def test_a_table_that_changed_is_noticed(batch, collection, tmp_path) -> None:
    table = collection / "list.csv"
    table.write_text("path\n00.jpg\n01.jpg\n")
    line = (table, "--out", tmp_path / "job")
    assert batch(*line).returncode == 0
    table.write_text("path\n00.jpg\n02.jpg\n")

    noticed = batch(*line)
    taken_in = batch(*line, "--refresh")

    assert (noticed.returncode, told(noticed)["error"]["code"]) == (65, "input_changed")
    assert (told(taken_in)["new"], told(taken_in)["removed"], told(taken_in)["images"]) == (1, 1, 3)
    assert batch(*line).returncode == 0


def test_another_list_on_stdin_is_noticed(batch, collection, tmp_path) -> None:
    names = [str(collection / f"{number:02}.jpg") for number in range(6)]
    line = ("-", "--out", tmp_path / "job")
    assert batch(*line, stdin="\n".join(names[:4])).returncode == 0

    same = batch(*line, stdin="\n".join(names[:4]))
    other = batch(*line, stdin="\n".join(names[2:]))
    taken_in = batch(*line, "--refresh", stdin="\n".join(names[2:]))

    assert same.returncode == 0
    assert told(other)["error"]["code"] == "input_changed"
    assert (told(taken_in)["new"], told(taken_in)["removed"], told(taken_in)["images"]) == (2, 2, 6)


def test_an_archive_that_is_replaced_between_two_runs_is_noticed(batch, collection, tmp_path) -> None:
    def pack(first: int) -> None:
        with tarfile.open(tmp_path / "some.tar", "w") as archive:
            for number in range(4):
                archive.add(collection / f"{number + first:02}.jpg", f"{number}.jpg")

    line = (tmp_path / "some.tar", "--out", tmp_path / "job", "--shard-size", 2)
    pack(0)
    assert batch(*line, failpoints="batch.ledger.finish:kill@2").returncode < 0
    pack(6)

    assert told(batch(*line))["error"]["code"] == "input_changed"
    assert told(batch(*line, "--refresh"))["changed"] == 4
    assert batch(collection, "--out", tmp_path / "all").returncode == 0
    known = by_name(rows(tmp_path / "all" / "parts"))
    found = by_name(rows(tmp_path / "job" / "parts"))
    assert [without(found[f"{n}.jpg"]) for n in range(4)] == [
        without(known[f"{n + 6:02}.jpg"]) for n in range(4)
    ]


def test_a_table_in_parquet_names_pictures(batch, collection, tmp_path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(
        pyarrow.table({"path": ["00.jpg", "03.jpg"], "label": [1, 2]}), collection / "list.parquet"
    )
    pq.write_table(pyarrow.table({"file": ["00.jpg"]}), collection / "other.parquet")
    (collection / "torn.parquet").write_bytes((collection / "list.parquet").read_bytes()[:100])

    assert batch(collection / "list.parquet", "--out", tmp_path / "job").returncode == 0
    assert list(by_name(rows(tmp_path / "job" / "parts"))) == ["00.jpg", "03.jpg"]
    for name in ("other", "torn"):
        refused = batch(collection / f"{name}.parquet", "--out", tmp_path / name)
        assert (refused.returncode, told(refused)["error"]["code"]) == (65, "bad_manifest")


def test_relative_names_are_those_of_the_folder_where_the_job_began(
    batch, collection, tmp_path, monkeypatch
) -> None:
    relative = collection.relative_to(tmp_path)  # the command runs in tmp_path
    assert batch(relative, "--out", tmp_path / "job", failpoints="batch.ledger.add:kill@1").returncode < 0

    moved = batch(f"../{tmp_path.name}/{relative}", "--out", tmp_path / "job")
    same = batch(relative, "--out", tmp_path / "job")

    assert told(moved)["error"]["code"] == "other_job"
    assert told(same)["done"] == 22


def test_pictures_of_an_archive_that_changed_are_answered_again(batch, collection, tmp_path) -> None:
    for count in (2, 3):
        with tarfile.open(tmp_path / "some.tar", "w") as archive:
            for number in range(count):
                archive.add(collection / f"{number + count:02}.jpg", f"{9 - number}.jpg")
        result = batch(tmp_path / "some.tar", "--out", tmp_path / "job", "--refresh")
    assert batch(collection, "--out", tmp_path / "all").returncode == 0

    assert (told(result)["new"], told(result)["changed"]) == (1, 2)
    found, known = by_name(rows(tmp_path / "job" / "parts")), by_name(rows(tmp_path / "all" / "parts"))
    for name, original in (("9.jpg", "03.jpg"), ("8.jpg", "04.jpg"), ("7.jpg", "05.jpg")):
        assert without(found[name]) == without(known[original])
