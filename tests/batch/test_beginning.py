"""What a job is begun with: which pictures, by which names, and by how many processes at once."""

import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from foveal.batch.listing import Named, normal
from job_rows import by_name, rows, told


def test_a_link_to_nowhere_and_what_is_no_file_have_rows(batch, collection, tmp_path) -> None:
    (collection / "inner").mkdir()
    (collection / "inner" / "lost.jpg").symlink_to("nowhere.jpg")
    (collection / "self.png").symlink_to("self.png")
    os.mkfifo(collection / "pipe.png")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(os.path.relpath(collection / "plug.png"))  # its name may have 108 bytes

    for text in (collection, f"{collection}/**"):
        shutil.rmtree(tmp_path / "job", ignore_errors=True)
        result = batch(text, "--out", tmp_path / "job")

        assert (result.returncode, told(result)["images"]) == (0, 28), result.stdout
        found = rows(tmp_path / "job" / "parts")
        codes = {name: row["error"]["code"] for name, row in by_name(found).items() if "error" in row}
        assert len(found) == 28
        assert codes.keys() - {"05.jpg", "11.jpg"} == {"lost.jpg", "self.png", "pipe.png", "plug.png"}
        assert (codes["lost.jpg"], codes["pipe.png"]) == ("not_found", "not_regular")


def test_how_much_is_left_out_is_told_and_the_same_after_a_stop(batch, collection, tmp_path) -> None:
    (collection / "notes.txt").write_text("mine")
    (collection / "dead").symlink_to("nowhere")
    for name in (".hidden.jpg", ".git/a.jpg", ".git/b.jpg"):
        (collection / name).parent.mkdir(exist_ok=True)
        shutil.copy(collection / "00.jpg", collection / name)
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for name in ("a.jpg", "notes.txt", ".hidden.jpg"):
            archive.write(collection / "00.jpg", name)
    line = (collection, tmp_path / "some.zip", "--out", tmp_path / "job")

    assert batch(*line, failpoints="batch.ledger.add:kill@1").returncode < 0
    document = told(batch(*line))

    assert document["images"] == 25
    assert document["left_out"] == {"hidden": 3, "no_picture": 3}
    (collection / "more.txt").write_text("mine")
    assert told(batch(*line))["left_out"] == document["left_out"], "nobody looked"
    assert told(batch(*line, "--refresh"))["left_out"] == {"hidden": 3, "no_picture": 4}


def test_what_is_left_out_of_folders_on_a_list_is_counted_too(batch, collection, tmp_path) -> None:
    shutil.copy(collection / "00.jpg", collection / ".hidden.jpg")

    document = told(batch("-", "--out", tmp_path / "job", stdin=f"{collection}\n{collection}/00.jpg\n"))

    assert (document["images"], document["left_out"]) == (25, {"hidden": 1, "no_picture": 0})


def test_a_person_is_told_what_was_left_out(bundle, collection, tmp_path) -> None:
    (collection / "notes.txt").write_text("mine")
    line = [sys.executable, "-m", "foveal", "batch", bundle, collection, "--out", tmp_path / "job", "-q"]

    ended = subprocess.run(list(map(str, line)), capture_output=True, text=True, check=True)

    assert "  1 in folders and archives left out: other files by their names\n" in ended.stdout
    assert "hidden" not in ended.stdout


@pytest.mark.parametrize("first", ["pictures", "./pictures//"])
def test_the_same_line_written_differently_goes_on(batch, collection, tmp_path, first) -> None:
    assert batch(first, "--out", "job", failpoints="batch.ledger.finish:kill@1").returncode < 0

    for again in ("./pictures", "pictures/", "pictures/."):
        result = batch(again, "--out", "job", "--refresh")
        assert (result.returncode, told(result)["new"], told(result)["images"]) == (0, 0, 24), result.stdout
    assert told(batch(collection, "--out", "job"))["error"]["code"] == "other_job", "its rows are called else"


def test_a_job_of_which_names_were_kept_as_they_were_written_goes_on(batch, collection, tmp_path) -> None:
    (tmp_path / "list.csv").write_text("path\npictures/00.jpg\npictures/01.jpg\n")
    assert batch("list.csv", "--out", "job", failpoints="batch.ledger.finish:kill@1").returncode < 0
    job = tmp_path / "job" / "job.json"
    text = job.read_text()
    assert text.count('"list.csv"') == 2  # what was named, and its stamp
    job.write_text(text.replace('"list.csv"', '"./list.csv"'))

    result = batch("list.csv", "--out", "job")

    assert (result.returncode, told(result)["done"]) == (0, 2), result.stdout


def test_names_of_links_are_not_resolved(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("far/away").mkdir(parents=True)
    Path("link").symlink_to("far/away")

    assert normal("link/") == "link"
    assert normal("./link/../x") == "link/../x"
    assert [normal(text) for text in ("", "-", "./-", "a*/", "./a*")] == ["", "-", "./-", "a*/", "a*"]


def test_several_processes_may_begin_a_job_at_once(bundle, collection, tmp_path) -> None:
    count = 4
    line = [sys.executable, "-m", "foveal", "batch", bundle, collection, "--out", tmp_path / "job"]
    line += ["--shard-size", "3", "--json", "-q", "--workers", "1", "--shard-count", count, "--shard-index"]
    at_once = [
        subprocess.Popen(list(map(str, [*line, index])), stdout=subprocess.PIPE, text=True)
        for index in range(count)
    ]
    documents = [json.loads(process.communicate()[0]) for process in at_once]

    assert [document.get("images") for document in documents] == [6] * count, documents
    assert sorted(by_name(rows(tmp_path / "job" / "parts"))) == sorted(p.name for p in collection.iterdir())


def test_an_input_that_changes_before_anything_is_listed_can_be_taken_in(batch, collection, tmp_path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("path\npictures/00.jpg\n")
    assert batch(table, "--out", "job", failpoints="batch.manifest.publish:kill@1").returncode < 0
    table.write_text("path\npictures/00.jpg\npictures/01.jpg\n")

    noticed = batch(table, "--out", "job")
    taken_in = batch(table, "--out", "job", "--refresh")
    again = batch(table, "--out", "job")

    assert told(noticed)["error"]["code"] == "input_changed"
    assert (taken_in.returncode, told(taken_in)["done"]) == (0, 2), taken_in.stdout
    assert (again.returncode, told(again)["done"]) == (0, 2)


@pytest.mark.parametrize("begun", ["batch.ledger.add:kill@1", ""])
@pytest.mark.parametrize("place", ["batch.manifest.write", "batch.manifest.publish", "batch.ledger.reopen"])
def test_a_change_that_was_not_taken_in_is_still_noticed(batch, collection, tmp_path, begun, place) -> None:
    table = tmp_path / "list.csv"
    table.write_text("path\npictures/00.jpg\npictures/01.jpg\n")
    line = (table, "--out", "job")
    assert batch(*line, failpoints=begun).returncode == (-9 if begun else 0)
    table.write_text("path\npictures/00.jpg\npictures/01.jpg\npictures/02.jpg\n")

    assert batch(*line, "--refresh", failpoints=f"{place}:kill@1").returncode == -9
    noticed = batch(*line)
    taken_in = batch(*line, "--refresh")

    assert told(noticed)["error"]["code"] == "input_changed"
    assert told(taken_in)["images"] == 3
    assert sorted(by_name(rows(tmp_path / "job" / "parts"))) == ["00.jpg", "01.jpg", "02.jpg"]
    assert batch(*line).returncode == 0


def test_a_resume_lists_no_folder_again(collection, monkeypatch) -> None:
    monkeypatch.setattr(os, "scandir", None)

    named = Named.of([str(collection)], null=False)

    assert named.stamps() == {}


def test_copies_among_new_pictures_ride_on_new_ones_only(batch, collection, tmp_path) -> None:
    line = (collection, "--out", tmp_path / "job", "--once")
    assert batch(*line).returncode == 0
    for name in ("03a.jpg", "03b.jpg"):
        shutil.copy(collection / "03.jpg", collection / name)
    shutil.copy(collection / "04.jpg", collection / "00a.jpg")

    assert told(batch(*line, "--refresh"))["new"] == 3

    lines = (tmp_path / "job" / "manifest-002.jsonl").read_text().splitlines()
    found = {item["source"].rpartition("/")[2]: item.get("same", False) for item in map(json.loads, lines)}
    assert sum(found.values()) == 1, found
    assert not found["00a.jpg"]


def test_what_was_superseded_may_be_removed(batch, collection, tmp_path) -> None:
    line = (collection, "--out", tmp_path / "job", "--shard-size", 6)
    assert batch(*line).returncode == 0
    os.utime(collection / "00.jpg", ns=(1, 1))  # another time, the same picture
    assert told(batch(*line, "--refresh"))["changed"] == 1
    shutil.rmtree(tmp_path / "job" / "superseded")

    again = batch(*line)

    assert again.returncode == 0, again.stdout
    assert len(rows(tmp_path / "job" / "parts")) == 24
