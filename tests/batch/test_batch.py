"""`foveal batch` as a user runs it: every picture has exactly one row."""

import json
import signal
import tarfile
import zipfile

import pytest

from foveal.bundle.predictor import Predictor, Unreadable
from job_rows import rows, told


def test_rows_say_what_predict_says_and_errors_have_rows_too(batch, bundle, collection, tmp_path) -> None:
    result = batch(collection, "--out", tmp_path / "job", "--shard-size", 7, "--scores")

    assert result.returncode == 0, result.stderr
    document = told(result)
    assert (document["images"], document["done"], document["failed"]) == (24, 22, 2)
    assert sum(document["failures"].values()) == 2
    found = rows(tmp_path / "job" / "parts")
    files = sorted(map(str, collection.iterdir()))
    assert [row["source"] for row in found] == files
    predictor = Predictor.open(bundle, threads=1)
    for row, answer in zip(found, predictor.predict_each(files, workers=1), strict=True):
        said = answer.as_json()
        assert row["bundle"] == predictor.digest
        if isinstance(answer, Unreadable):
            assert row["error"]["code"] == said["error"]["code"]
        else:
            assert said.items() <= row.items()


def test_the_same_line_again_does_nothing_and_another_one_is_refused(batch, collection, tmp_path) -> None:
    line = (collection, "--out", tmp_path / "job")
    first = told(batch(*line))
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "job" / "parts").iterdir()}

    again = batch(*line)
    other = batch(*line, "--scores")

    assert again.returncode == 0
    assert told(again)["images_per_second"] == 0
    assert {**told(again), "seconds": 0, "images_per_second": 0, "new_rows": 0} == {
        **first,
        "seconds": 0,
        "images_per_second": 0,
        "new_rows": 0,
    }
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "job" / "parts").iterdir()} == before
    assert (other.returncode, told(other)["error"]["code"]) == (2, "other_job")


def test_one_file_holds_all_rows_in_the_order_of_the_list(batch, collection, tmp_path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    batch(collection, "--out", tmp_path / "a.jsonl", "--shard-size", 5)
    batch(collection, "--out", tmp_path / "a.parquet", "--shard-size", 5)

    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    table = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["source"] for row in lines] == sorted(map(str, collection.iterdir()))
    assert [row["source"] for row in table] == [row["source"] for row in lines]
    assert [row["label"] for row in table] == [row.get("label") for row in lines]
    assert [row["confidence"] for row in table] == [row.get("confidence") for row in lines]


def test_several_processes_share_a_job_and_one_line_joins_them(batch, collection, tmp_path) -> None:
    line = (collection, "--out", tmp_path / "rows.jsonl", "--shard-size", 4)

    first = batch(*line, "--shard-index", 1, "--shard-count", 2)
    among_three = batch(*line, "--shard-index", 0, "--shard-count", 3)
    early = batch(*line)
    second = batch(*line, "--shard-index", 0, "--shard-count", 2)
    joined = batch(*line)

    assert told(among_three)["error"]["code"] == "other_job"
    assert told(first)["images"] + told(second)["images"] == 24
    assert told(early)["error"]["code"] == "unfinished"
    assert told(joined)["images"] == 24
    alone = batch(collection, "--out", tmp_path / "alone.jsonl", "--shard-size", 4)
    assert alone.returncode == 0
    assert (tmp_path / "rows.jsonl").read_bytes() == (tmp_path / "alone.jsonl").read_bytes()


@pytest.mark.parametrize("place", ["batch.ledger.open", "batch.ledger.add"])
def test_a_process_that_was_killed_before_it_knew_its_shards_has_not_finished(
    batch, collection, tmp_path, place
) -> None:
    line = (collection, "--out", tmp_path / "rows.jsonl", "--shard-size", 4)
    assert batch(*line, "--shard-index", 0, "--shard-count", 2).returncode == 0
    killed = batch(*line, "--shard-index", 1, "--shard-count", 2, failpoints=f"{place}:kill@1")

    early = batch(*line)

    assert killed.returncode == -signal.SIGKILL
    assert (early.returncode, told(early)["error"]["code"]) == (2, "unfinished")
    assert not (tmp_path / "rows.jsonl").exists()
    assert batch(*line, "--shard-index", 1, "--shard-count", 2).returncode == 0
    assert told(batch(*line))["images"] == 24


def test_tables_archives_and_files_listed_twice(batch, collection, tmp_path) -> None:
    (collection / "list.csv").write_text("label,path\nx,00.jpg\ny,01.jpg\nx,00.jpg\n")
    with tarfile.open(tmp_path / "some.tar", "w") as archive:
        archive.add(collection / "02.jpg", "a/02.jpg")
        archive.add(collection / "list.csv", "a/list.csv")

    result = batch(collection / "list.csv", tmp_path / "some.tar", "--out", tmp_path / "job")

    assert result.returncode == 0, result.stdout
    found = rows(tmp_path / "job" / "parts")
    assert [(row["source"].rpartition("/")[2], row["occurrence"]) for row in found] == [
        ("00.jpg", 0),
        ("01.jpg", 0),
        ("00.jpg", 1),
        ("02.jpg", 0),
    ]
    whole = batch(collection / "02.jpg", "--out", tmp_path / "whole")
    assert whole.returncode == 0
    [alone] = rows(tmp_path / "whole" / "parts")
    assert {**alone, "source": ""} == {**found[3], "source": ""}


@pytest.mark.parametrize(
    ("name", "content", "code", "exit_code"),
    [
        ("a.csv", "file\nx.jpg\n", "bad_manifest", 65),
        ("a.tar", "no tar", "not_an_archive", 65),
        ("a.tar.gz", "", "not_an_archive", 65),
        ("empty/", "", "not_found", 66),
    ],
)
def test_what_cannot_be_listed_is_told_before_a_job_begins(
    batch, tmp_path, name, content, code, exit_code
) -> None:
    if name.endswith("/"):
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text(content)

    result = batch(tmp_path / name, "--out", tmp_path / "job")

    assert (result.returncode, told(result)["error"]["code"]) == (exit_code, code)
    assert not (tmp_path / "job" / "job.json").exists()


def test_an_input_that_names_nothing_is_told_though_others_name_something(
    batch, collection, tmp_path
) -> None:
    result = batch(collection, str(tmp_path / "*.png"), "--out", tmp_path / "job")

    assert (result.returncode, told(result)["error"]["code"]) == (66, "not_found")
    assert "*.png" in told(result)["error"]["message"]


@pytest.mark.parametrize("name", ["nothing", "nothing.tar", "nothing.csv"])
def test_an_input_that_is_not_there_begins_no_job(batch, collection, tmp_path, name) -> None:
    for inputs in ((tmp_path / name,), (collection, tmp_path / name)):
        result = batch(*inputs, "--out", tmp_path / "job")

        assert (result.returncode, told(result)["error"]["code"]) == (66, "not_found")
        assert not (tmp_path / "job" / "job.json").exists()


def test_a_file_of_another_kind_is_no_folder_by_mistake(batch, collection, tmp_path) -> None:
    result = batch(collection, "--out", tmp_path / "rows.csv")

    assert (result.returncode, told(result)["error"]["code"]) == (2, "usage")
    assert not (tmp_path / "rows.csv").exists()


def test_a_published_part_that_is_gone_is_no_passing_trouble(batch, collection, tmp_path) -> None:
    line = (collection, "--out", tmp_path / "job", "--shard-size", 6)
    assert batch(*line).returncode == 0
    (tmp_path / "job" / "parts" / "part-000001.jsonl").unlink()

    result = batch(*line)

    assert (result.returncode, told(result)["error"]["code"]) == (65, "part_missing")


def test_archives_of_every_kind_are_read_and_a_damaged_one_is_refused(batch, collection, tmp_path) -> None:
    names = [f"{number:02}.jpg" for number in range(4)]
    for mode in ("w", "w:gz", "w:xz"):
        with tarfile.open(tmp_path / f"some.tar{mode[1:].replace(':', '.')}", mode) as archive:
            for name in names:
                archive.add(collection / name, f"in/{name}")
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for name in names:
            archive.write(collection / name, f"in/{name}")
    damaged = bytearray((tmp_path / "some.tar").read_bytes())
    with tarfile.open(tmp_path / "some.tar") as archive:
        place = archive.getmember("in/02.jpg").offset
    damaged[place + 100 : place + 140] = b"\xff" * 40
    (tmp_path / "damaged.tar").write_bytes(damaged)

    found = {}
    for name in ("some.tar", "some.tar.gz", "some.tar.xz", "some.zip"):
        assert batch(tmp_path / name, "--out", tmp_path / f"job-{name}").returncode == 0
        found[name] = [
            {**row, "source": row["source"].rpartition("/")[2]}
            for row in rows(tmp_path / f"job-{name}" / "parts")
        ]
    refused = batch(tmp_path / "damaged.tar", "--out", tmp_path / "job-damaged")

    assert [row["source"] for row in found["some.tar"]] == names
    assert all(each == found["some.tar"] for each in found.values())
    assert (refused.returncode, told(refused)["error"]["code"]) == (65, "archive_corrupt")


def test_the_pictures_folder_is_not_written_to(batch, collection) -> None:
    result = batch(collection, "--out", collection / "rows.jsonl")

    assert (result.returncode, told(result)["error"]["code"]) == (73, "inside_data")
    assert len([*collection.iterdir()]) == 24


def test_the_engine_is_that_with_which_the_job_began(batch, collection, tmp_path) -> None:
    line = (collection, "--out", tmp_path / "job")
    assert batch(*line, failpoints="batch.ledger.add:kill@1").returncode < 0
    begun = json.loads((tmp_path / "job" / "job.json").read_text())
    assert (begun["identity"]["engine"], begun["identity"]["precision"]) == ("onnxruntime", "fp32")

    other = batch(*line, "--engine", "openvino", "--precision", "fp32")

    assert told(other)["error"]["code"] in ("other_job", "missing_extra")
    assert batch(*line).returncode == 0


def test_a_share_of_unusable_pictures_has_done_its_work(batch, collection, tmp_path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    for number in range(4):
        (bad / f"{number}.jpg").write_text("no picture")

    share = batch(bad, "--out", tmp_path / "job", "--shard-size", 1, "--shard-index", 0, "--shard-count", 2)
    alone = batch(bad, "--out", tmp_path / "alone")

    assert (share.returncode, told(share)["ok"], told(share)["failed"]) == (0, True, 2)
    assert (alone.returncode, told(alone)["ok"], told(alone)["failed"]) == (65, False, 4)


def test_a_folder_with_something_else_in_it_is_left_alone(batch, collection, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")

    result = batch(collection, "--out", tmp_path / "mine")

    assert (result.returncode, told(result)["error"]["code"]) == (73, "would_overwrite")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]
