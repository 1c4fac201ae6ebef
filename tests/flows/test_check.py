"""flows.check and `foveal check`: the contract's document, exit codes, and nothing written to the data."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.cli._main import run
from foveal.core.errors import DataError, NotFoundError
from foveal.data import opening
from foveal.data.split import ROLES
from foveal.flows.check import check

KEYS = {
    "schema",
    "ok",
    "task",
    "path",
    "format",
    "classes",
    "splits",
    "images",
    "roles",
    "findings",
    "fingerprint",
    "statistics",
    "near_duplicates",
    "label_suspects",
    "outliers",
    "skipped",
}
Make = Callable[[dict[str, int]], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that writes noisy pictures: {folder: how many}."""

    def write(counts: dict[str, int]) -> Path:
        random = np.random.default_rng(0)
        for below, count in counts.items():
            (tmp_path / "data" / below).mkdir(parents=True)
            for i in range(count):
                file = io.BytesIO()
                Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(file, "PNG")
                (tmp_path / "data" / below / f"{i}.png").write_bytes(file.getvalue())
        return tmp_path / "data"

    return write


def test_the_document_has_the_contracts_keys(make: Make) -> None:
    root = make({"train/cat": 12, "train/dog": 11, "test/cat": 4, "test/dog": 5})

    document = check(opening.open(root)).as_json()

    assert set(document) == KEYS
    assert document["schema"] == "foveal.check/1"
    assert (document["ok"], document["task"], document["format"]) == (True, "classify", "image_folder")
    assert document["classes"] == ["cat", "dog"]
    assert document["splits"] == {"train": 23, "test": 9}
    assert document["images"] == 32
    assert document["roles"] == {"fit": 19, "calib": 4, "test": 9}
    assert {key for f in document["findings"] for key in f} == {
        "code", "severity", "count", "message", "hint", "examples",
    }  # fmt: skip
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_data_without_splits_are_all_train(make: Make) -> None:
    assert check(opening.open(make({"cat": 4, "dog": 4}))).as_json()["splits"] == {"train": 8}


def test_a_warning_stops_only_the_strict(make: Make) -> None:
    root = make({"cat": 40, "dog": 40})

    assert check(opening.open(root)).ok
    assert not check(opening.open(root)).strictly().ok
    assert {f.code for f in check(opening.open(root)).findings} == {"few_images"}


def test_an_error_stops(make: Make) -> None:
    root = make({"cat": 4, "dog": 4})
    (root / "cat/0.png").write_bytes(b"")

    result = check(opening.open(root))

    assert not result.ok
    assert result.findings[0].code == "unreadable_images"


def test_many_unreadable_pictures_are_a_finding(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    root = make({"cat": 160, "dog": 160})
    for path in root.rglob("*.png"):
        path.write_bytes(b"no picture")

    assert run(["check", str(root), "--json"]) == 65

    document = json.loads(capsys.readouterr().out)
    assert document["findings"][0]["code"] == "unreadable_images"
    assert document["skipped"][0]["reason"].startswith("too few to learn from: 0 readable pictures")


@pytest.mark.parametrize("sites", [1, 2])
def test_few_groups_are_no_reason_to_give_up(
    make: Make, sites: int, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make({"cat": 160, "dog": 160})
    rows = [f"{path.relative_to(root)},{number % sites}" for number, path in enumerate(root.rglob("*.png"))]
    (root / "groups.csv").write_text("\n".join(["picture,group", *rows]) + "\n")

    assert run(["check", str(root), "--json"]) == 65

    document = json.loads(capsys.readouterr().out)
    assert "empty_role" in {finding["code"] for finding in document["findings"]}
    assert "cannot be dealt into 3 parts" in document["skipped"][0]["reason"]


def test_a_test_set_alone_has_no_roles(make: Make) -> None:
    result = check(opening.open(make({"test/cat": 4, "test/dog": 4})))

    assert result.ok
    assert result.split is None
    assert result.as_json()["roles"] == {}


def test_the_seed_decides_the_split_and_not_the_fingerprint(make: Make) -> None:
    root = make({"cat": 40, "dog": 40})

    one, other = check(opening.open(root), seed=1), check(opening.open(root), seed=2)

    assert one.inventory.fingerprint == other.inventory.fingerprint
    assert one.split is not None
    assert other.split is not None
    assert any(not np.array_equal(one.split.role(role), other.split.role(role)) for role in ROLES)


def test_what_cannot_be_opened_is_an_error(make: Make, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        check(opening.open(tmp_path / "gone"))
    with pytest.raises(DataError, match="no file called like"):
        check(opening.open(make({"cat": 1}), format="idx"))


# The command


def test_the_command_prints_one_document(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    root = make({"cat": 40, "dog": 40})
    before = sorted(root.rglob("*"))

    assert run(["check", str(root), "--json"]) == 0

    printed = capsys.readouterr()
    assert json.loads(printed.out) == check(opening.open(root)).as_json()
    assert printed.out.count("\n") == 1
    assert sorted(root.rglob("*")) == before


def test_bad_data_end_with_65_and_the_whole_document(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    root = make({"train/cat": 4, "train/dog": 4, "val/cat": 4})

    assert run(["check", str(root), "--json"]) == 65

    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["findings"][0]["code"] == "class_missing_in_split"


def test_strict_turns_warnings_into_65(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(make({"cat": 40, "dog": 40}))

    assert run(["check", root, "-q"]) == 0
    assert run(["check", root, "-q", "--strict", "--json"]) == 65
    assert run(["check", root + "x", "--json"]) == 66
    assert run(["check", root, "--format", "cocoa"]) == 2
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["error"]["code"] == "not_found"


def test_people_are_told_what_and_what_to_do(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    root = make({"cat": 14, "dog": 12, "[red]emu\x1b[2J": 0})
    for i in range(5):
        (root / f"cat/notes{i}.txt").write_text("x")

    assert run(["check", str(root), "-q"]) == 65

    printed = capsys.readouterr()
    assert "26 images of 3 classes: train 26" in printed.out
    assert "training would use 18 to learn from, 4 to calibrate, 4 to test" in printed.out
    assert "error 1 of 3 classes hold no picture" in printed.out
    assert "→ Add pictures, or remove the folders." in printed.out
    assert "…" in printed.out
    assert "not fit for training as it is" in printed.out
    assert "[red]emu\\x1b[2J" in printed.out
    assert "\x1b" not in printed.out
    assert printed.err == ""


def test_good_data_are_said_to_be_good(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    counts = {f"{split}/{name}": 230 for split in ("train", "val", "test") for name in ("cat", "dog")}

    assert run(["check", str(make(counts)), "--strict", "--fast"]) == 0
    assert "nothing found that would spoil a result" in capsys.readouterr().out
