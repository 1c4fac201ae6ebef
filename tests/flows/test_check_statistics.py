"""The statistical part of a check: what is planted is found, what is skipped is said."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.cli._main import run
from foveal.data import opening
from foveal.data.split import ROLES
from foveal.flows import _doubts
from foveal.flows.check import CheckResult, check, write_page, write_suspects

COLORS = ("red", "green", "blue")


def picture(seed: int, channel: int) -> Image.Image:
    """Return a picture with coarse and fine structure and one brighter channel."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.normal(size=(6, 6, 1)), np.ones((8, 8, 1)))
    levels = 110 + 35 * coarse + rng.normal(0, 15, (48, 48, 3))
    levels[..., channel] += 60
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """120 pictures and what is planted among them."""
    return plant(tmp_path / "data")


def plant(root: Path) -> Path:
    """Write 120 pictures in train and test, with copies across and within, some with another label."""
    for split, first, count in (("train", 0, 30), ("test", 5000, 10)):
        for channel, name in enumerate(COLORS):
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                picture(first + 1000 * channel + i, channel).save(root / split / name / f"{i}.png")
    copy = picture(3, 0)
    copy.save(root / "test/red/copy.jpg", quality=60)
    copy.resize((30, 30)).save(root / "train/green/copy.jpg", quality=80)
    picture(1007, 1).save(root / "train/green/twin.jpg", quality=70)
    Image.new("RGB", (48, 48), (9, 9, 9)).save(root / "train/blue/blank.png")
    return root


def test_copies_are_found_and_told_apart(planted: Path) -> None:
    document = check(opening.open(planted)).as_json()

    clusters = {tuple(one["sources"]): one for one in document["near_duplicates"]}
    three = ("test/red/copy.jpg", "train/green/copy.jpg", "train/red/3.png")
    assert {tuple(sorted(names)) for names in clusters} == {
        three,
        ("train/green/7.png", "train/green/twin.jpg"),
    }
    (mixed,) = (one for names, one in clusters.items() if len(names) == 3)
    assert dict(zip(mixed["sources"], mixed["splits"], strict=True))["test/red/copy.jpg"] == "test"
    assert sorted(mixed["labels"]) == ["green", "red", "red"]
    assert 0.8 <= mixed["similarity"] <= 1
    codes = {one["code"]: one for one in document["findings"]}
    assert codes["near_duplicates_across_splits"]["severity"] == "warning"
    assert codes["near_duplicates_across_splits"]["count"] == 3
    assert "test and train" in codes["near_duplicates_across_splits"]["message"]
    assert codes["near_duplicates_conflicting_labels"]["count"] == 3
    assert codes["near_duplicates_within_split"]["severity"] == "info"
    assert codes["blank_images"]["examples"] == ["train/blue/blank.png"]
    assert document["outliers"][0] == {"source": "train/blue/blank.png", "reason": "blank", "score": 0.0}


def test_what_has_a_common_group_is_no_finding(planted: Path) -> None:
    rows = ["picture,group", "train/red/3.png,a", "test/red/copy.jpg,a", "train/green/copy.jpg,a"]
    (planted / "groups.csv").write_text("\n".join(rows) + "\n")

    found = check(opening.open(planted)).as_json()["near_duplicates"]

    assert [sorted(one["sources"]) for one in found] == [["train/green/7.png", "train/green/twin.jpg"]]


def test_without_splits_copies_count_across_the_roles_of_training(planted: Path) -> None:
    red = planted / "train/red"
    for i in range(20):  # so many that some lie in another role, whatever the bytes a codec writes
        Image.open(red / f"{i}.png").resize((40, 40)).save(red / f"copy{i}.png")

    result = check(opening.open(planted / "train"))

    assert result.split is not None
    role = {result.dataset.sources[i]: name for name in ROLES for i in result.split.role(name).tolist()}
    copies = result.as_json()["near_duplicates"]
    assert [one["splits"] for one in copies] == [[role[name] for name in one["sources"]] for one in copies]
    across = [one for one in copies if len(set(one["splits"])) > 1]
    assert 0 < len(across) < len(copies)
    (said,) = (f for f in result.findings if f.code == "near_duplicates_across_splits")
    assert said.count == sum(len(one["sources"]) for one in across)
    assert all(name in said.message for one in across for name in one["splits"])


def test_identical_files_are_left_to_the_structural_check(planted: Path) -> None:
    (planted / "train/red/again.png").write_bytes((planted / "train/red/9.png").read_bytes())

    result = check(opening.open(planted)).as_json()

    assert not any("train/red/again.png" in one["sources"] for one in result["near_duplicates"])
    assert "duplicates_within_split" in {one["code"] for one in result["findings"]}


def test_too_few_to_learn_from_is_said(planted: Path) -> None:
    (skipped,) = check(opening.open(planted)).as_json()["skipped"]

    assert skipped["check"] == "label_suspects"
    assert skipped["reason"] == "too few to learn from: 124 readable pictures; 300 are needed"
    assert skipped["hint"]


def test_fast_does_none_of_it_and_says_so(planted: Path) -> None:
    document = check(opening.open(planted), fast=True).as_json()

    assert [document[key] for key in ("statistics", "near_duplicates", "label_suspects", "outliers")] == [
        []
    ] * 4
    assert {one["check"] for one in document["skipped"]} == {
        *("statistics", "near_duplicates", "label_suspects", "outliers"),
    }
    assert all(one["reason"] == "--fast was given" for one in document["skipped"])


def test_classes_are_described(planted: Path) -> None:
    red = {one["class"]: one for one in check(opening.open(planted)).as_json()["statistics"]}["red"]

    assert (red["images"], red["splits"]) == (41, {"test": 11, "train": 30})
    assert red["width"] == 48


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> CheckResult:
    """Check pictures of which three lie in a wrong class, and two in a class of their own."""
    root = plant(tmp_path_factory.mktemp("learned") / "data")
    for number, (true, given) in enumerate([("red", "blue"), ("blue", "green"), ("green", "red")]):
        (root / f"train/{true}/{20 + number}.png").rename(root / f"train/{given}/flipped{number}.png")
    for split in ("train", "test"):
        (root / split / "violet").mkdir()
        picture(len(split), 0).rotate(90).save(root / split / "violet/1.png")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_doubts, "FEWEST_IMAGES", 50)
        return check(opening.open(root), threads=1)


def test_wrong_labels_are_suspected_with_the_right_one_suggested(learned: CheckResult) -> None:
    document = learned.as_json()

    suspects = {one["source"]: one for one in document["label_suspects"]}
    assert {"train/blue/flipped0.png", "train/green/flipped1.png", "train/red/flipped2.png"} <= set(suspects)
    assert suspects["train/blue/flipped0.png"]["label"] == "blue"
    assert suspects["train/blue/flipped0.png"]["suggested"] == "red"
    assert 0 < suspects["train/blue/flipped0.png"]["confidence"] <= 1
    (said,) = (one for one in document["findings"] if one["code"] == "label_suspects")
    without = replace(learned, findings=tuple(f for f in learned.findings if f.code == "label_suspects"))
    assert without.strictly().ok, "candidates do not stop --strict"
    assert (said["severity"], said["count"]) == ("info", len(suspects))


def test_small_classes_are_left_out_and_named(learned: CheckResult) -> None:
    document = learned.as_json()

    assert [one["check"] for one in document["skipped"]] == ["label_suspects"]
    assert document["skipped"][0]["reason"] == "1 class with fewer than 10 pictures: 'violet'"
    assert "violet" not in {one["label"] for one in document["label_suspects"]}


def test_labels_that_nothing_can_learn_are_not_doubted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_doubts, "FEWEST_IMAGES", 50)
    for channel, name in enumerate(("a", "b")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(45):
            picture(500 * channel + i, i % 3).save(tmp_path / "data" / name / f"{i}.png")

    document = check(opening.open(tmp_path / "data"), threads=1).as_json()

    assert document["label_suspects"] == []
    assert "too weak to doubt labels" in document["skipped"][0]["reason"]


# For people


def test_the_page_and_the_table_show_what_was_found(learned: CheckResult, tmp_path: Path) -> None:
    write_page(learned, tmp_path / "page.html")
    write_suspects(learned, tmp_path / "suspects.csv")

    page = (tmp_path / "page.html").read_text()
    assert "This page contains your pictures" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/") >= 5 + 3 + 1
    assert "blue</b>, perhaps <b" in page
    assert "in more than one part" in page
    with (tmp_path / "suspects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == [one["source"] for one in learned.as_json()["label_suspects"]]
    assert rows[0].keys() == {"source", "label", "suggested", "confidence"}


def test_a_picture_that_is_gone_by_then_is_named_without_picture(planted: Path, tmp_path: Path) -> None:
    result = check(opening.open(planted))
    (planted / "train/blue/blank.png").unlink()

    write_page(result, tmp_path / "page.html")

    assert "no picture" in (tmp_path / "page.html").read_text()


def test_the_command_writes_both_and_keeps_what_is_there(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, table = tmp_path / "page.html", tmp_path / "suspects.csv"
    options = ["--report", str(page), "--suspects", str(table), "-q", "--json"]

    assert run(["check", str(planted), *options]) == 0
    assert json.loads(capsys.readouterr().out)["near_duplicates"]
    assert table.read_text() == "source,label,suggested,confidence\n"
    assert run(["check", str(planted), *options]) == 73
    assert json.loads(capsys.readouterr().out)["error"]["message"].endswith("is there already")
    assert run(["check", str(planted), *options, "--force"]) == 0


def test_one_name_for_page_and_table_is_refused(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    options = ["--report", str(tmp_path / "both"), "--suspects", str(tmp_path / "link" / "both")]

    assert run(["check", str(planted), *options, "-q", "--json"]) == 2
    assert "the table would replace the page" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert not (tmp_path / "both").exists()


def test_a_table_of_what_nobody_looked_for_is_refused(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "suspects.csv"

    assert run(["check", str(planted), "--fast", "--suspects", str(table), "-q", "--json"]) == 2
    assert "does not look for doubtful labels" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert not table.exists()


def test_a_page_of_the_fast_check_says_what_was_not_looked_for(planted: Path, tmp_path: Path) -> None:
    assert run(["check", str(planted), "--fast", "--report", str(tmp_path / "page.html"), "-q"]) == 0

    page = (tmp_path / "page.html").read_text()
    for name in ("statistics", "near duplicates", "label suspects", "outliers"):
        assert f"Not looked at: {name}. --fast was given" in page
    write_page(replace(check(opening.open(planted), fast=True), findings=()), tmp_path / "clean.html")
    assert (
        "Nothing that would spoil a result, in what was looked at." in (tmp_path / "clean.html").read_text()
    )


def test_nothing_is_written_into_the_data(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(planted), "--report", str(planted / "page.html"), "-q"]) == 73
    assert not (planted / "page.html").exists()


def test_people_are_told_what_was_skipped(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(planted), "-q"]) == 0
    assert "skipped label_suspects: too few to learn from: 124 readable pictures" in capsys.readouterr().out
    assert run(["check", str(planted), "-q", "--fast"]) == 0
    assert "skipped" not in capsys.readouterr().out


def test_progress_names_the_stages(planted: Path) -> None:
    stages: list[str] = []
    tell: Callable[..., None] = lambda stage, done, total, note="": stages.append(stage)  # noqa: E731

    check(opening.open(planted), progress=tell)

    assert list(dict.fromkeys(stages)) == ["reading pictures", "comparing pictures", "comparing details"]
