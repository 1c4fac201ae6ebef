"""A taught bundle says itself what it was taught: these pictures measure nothing, wherever it lies."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foveal.bundle import archive
from foveal.core.errors import BundleError, DataError
from foveal.fewshot.sealing import opened
from foveal.flows import certify
from foveal.flows.compare import Terms, compare
from foveal.flows.evaluate import evaluate
from foveal.flows.fewshot_add import Target, add, remove
from foveal.flows.fewshot_teach import Wanted, teach

Paint = Callable[..., list[Path]]
YES = Target(force=True)


@pytest.fixture
def made(few: Path, bundle: Path, tmp_path: Path) -> Path:
    return Path(teach(str(bundle), few, out=tmp_path / "t.foveal")["bundle"])


def _without_contents(path: Path) -> None:
    members = archive.read(path)
    archive.seal_taught(
        path, members.manifest.draft(), model=members.model, golden=members.golden,
        taught={name: members.taught[name] for name in archive.TAUGHT},
    )  # fmt: skip


def test_one_taught_picture_among_new_ones_is_found(
    made: Path, few: Path, paint: Paint, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    for name in ("red", "blue"):
        paint(asked / name, name, 5, seed=9)
    assert evaluate(made, asked).report.provenance["unseen"] == "content"
    shutil.copy(few / "green" / "002.png", asked / "red" / "seen.png")
    with pytest.raises(DataError, match="1 of 11 pictures were learned from") as raised:
        evaluate(made, asked)
    assert raised.value.code == "trained_on"


def test_the_taught_folder_itself_measures_by_its_test_part_alone(
    bundle: Path, paint: Paint, tmp_path: Path
) -> None:
    for name in ("red", "blue"):
        paint(tmp_path / "d" / "train" / name, name, 4)
        paint(tmp_path / "d" / "test" / name, name, 3, seed=4)
    made = Path(teach(str(bundle), tmp_path / "d", out=tmp_path / "t.foveal")["bundle"])
    for split in (None, "test"):
        found = evaluate(made, tmp_path / "d", split=split)
        assert len(found.held_out.labels) == 6
        assert found.report.provenance["unseen"] == "split"
    with pytest.raises(DataError, match="8 of 8 pictures were learned from"):
        evaluate(made, tmp_path / "d", split="train")
    paint(tmp_path / "d" / "test" / "red", "red", 1, seed=8)  # no longer what was taught
    with pytest.raises(DataError, match="8 of ") as raised:
        evaluate(made, tmp_path / "d")
    assert "--split test" in str(raised.value.hint)


@pytest.fixture
def parted(paint: Paint, tmp_path: Path) -> Path:
    """Return two colours with a test part of three pictures each, one of which is a taught one again."""
    for name in ("red", "blue"):
        paint(tmp_path / "d" / "train" / name, name, 4)
        paint(tmp_path / "d" / "test" / name, name, 3, seed=4)
    shutil.copy(tmp_path / "d/train/red/001.png", tmp_path / "d/test/red/again.png")
    return tmp_path / "d"


@pytest.mark.parametrize("lone", [True, False])
def test_a_test_picture_that_was_taught_measures_nothing(
    bundle: Path, parted: Path, tmp_path: Path, lone: bool
) -> None:
    document = teach(str(bundle), parted, out=tmp_path / "run")
    made = Path(document["bundle"])
    if lone:
        made = Path(shutil.copy(made, tmp_path / "moved.foveal"))
    assert any("1 picture will not be measured" in message for message in document["messages"])
    measured = evaluate(made, parted)
    assert len(measured.held_out.labels) == 6
    assert not any("again" in source for source in measured.held_out.sources)


def test_a_test_picture_that_was_taught_as_another_class_ends_the_command(
    bundle: Path, parted: Path, tmp_path: Path
) -> None:
    (parted / "test/red/again.png").rename(parted / "test/blue/again.png")
    with pytest.raises(DataError, match="one picture in two classes") as raised:
        teach(str(bundle), parted, out=tmp_path / "run")
    assert raised.value.code == "conflicting_labels"


def test_a_test_part_that_was_taught_whole_says_so(bundle: Path, parted: Path, tmp_path: Path) -> None:
    for name in ("red", "blue"):
        shutil.rmtree(parted / "test" / name)
        shutil.copytree(parted / "train" / name, parted / "test" / name)
    teach(str(bundle), parted, out=tmp_path / "run")
    with pytest.raises(DataError, match="no test picture that was not learned from") as raised:
        evaluate(tmp_path / "run", parted)
    assert raised.value.code == "no_images"
    assert "test/" in str(raised.value.hint)


@pytest.mark.parametrize("lone", [True, False])
def test_a_taught_bundle_is_certified_on_the_test_part_of_its_own_folder(
    bundle: Path, parted: Path, tmp_path: Path, lone: bool
) -> None:
    shutil.copy(parted / "test/blue/001.png", parted / "test/blue/twice.png")  # one of the two counts
    made = Path(teach(str(bundle), parted, out=tmp_path / "run")["bundle"])
    if lone:
        made = Path(shutil.copy(made, tmp_path / "moved.foveal"))
    terms = certify.Terms(level="smoke", attach=False, threads=1)
    document = certify.run(made, parted, terms, out=tmp_path / "c").document
    assert (document["data"]["available"], document["data"]["independent"]) == (7, 6)
    assert document["data"]["roles"]["test"]["images"] == 6
    assert document["data"]["unseen"] == "split"
    assert _shared(document) == (0, 6)
    compared = compare([made, bundle], parted, Terms(split="test", threads=1)).document
    assert compared["images"] == 7, "what was taught is in no comparison"


def _shared(document: dict[str, Any]) -> tuple[float, int]:
    """Return how many test pictures were used before, and of how many."""
    [gate] = [gate for gate in document["gates"] if gate["id"] == "shared_pictures"]
    return gate["value"]["value"], gate["value"]["n"]


def test_another_taught_run_as_the_twin_does_not_say_what_was_taught(
    made: Path, bundle: Path, few: Path, paint: Paint, tmp_path: Path
) -> None:
    (tmp_path / "apart").mkdir()
    made = Path(shutil.move(made, tmp_path / "apart" / "taught.foveal"))  # called as that of the other run
    for name in ("red", "blue"):
        paint(tmp_path / "o" / name, name, 4, seed=7)
        paint(tmp_path / "asked" / name, name, 3, seed=9)
    shutil.copy(few / "red" / "002.png", tmp_path / "asked" / "red" / "seen.png")
    teach(str(bundle), tmp_path / "o", out=tmp_path / "other")
    terms = certify.Terms(level="smoke", attach=False, threads=1, twin=tmp_path / "other")
    with pytest.raises(DataError, match="1 of 7 pictures were learned from"):
        certify.run(made, tmp_path / "asked", terms, out=tmp_path / "c")


def test_what_is_added_is_known_and_what_is_removed_is_forgotten(
    made: Path, few: Path, paint: Paint, tmp_path: Path
) -> None:
    new = paint(tmp_path / "asked" / "violet", "violet", 4)
    add(made, "violet", new, target=YES)
    with pytest.raises(DataError, match="4 of 4"):
        evaluate(made, tmp_path / "asked")
    remove(made, "violet", target=YES)
    shutil.move(tmp_path / "asked" / "violet", tmp_path / "asked" / "red")
    assert len(evaluate(made, tmp_path / "asked").held_out.labels) == 4


def test_contents_are_those_of_teaching_at_once(
    made: Path, few: Path, bundle: Path, paint: Paint, tmp_path: Path
) -> None:
    add(made, "violet", paint(tmp_path / "v", "violet", 3), target=YES)
    shutil.copytree(tmp_path / "v", few / "violet")
    head = Wanted(head=opened(made).head)
    teach(str(bundle), few, wanted=head, out=tmp_path / "whole.foveal")
    added, whole = (archive.read(path).taught for path in (made, tmp_path / "whole.foveal"))
    assert added == whole
    assert archive.CONTENTS in added
    assert len(set(opened(made).taught.contents or ())) == 27


def test_a_bundle_without_contents_is_taught_more_and_stays_without(
    made: Path, paint: Paint, tmp_path: Path
) -> None:
    _without_contents(made)
    assert opened(made).taught.contents is None
    add(made, "violet", paint(tmp_path / "asked" / "violet", "violet", 3), target=YES)
    assert archive.CONTENTS not in archive.read(made).taught
    assert evaluate(made, tmp_path / "asked").report.provenance["unseen"] is None


@pytest.mark.parametrize("content", [b"nothing", None])
def test_contents_that_do_not_fit_are_refused(made: Path, content: bytes | None) -> None:
    members = archive.read(made)
    bad = content or members.taught[archive.CONTENTS][:-32]
    archive.seal_taught(
        made, members.manifest.draft(), model=members.model, golden=members.golden,
        taught={**members.taught, archive.CONTENTS: bad},
    )  # fmt: skip
    with pytest.raises(BundleError, match=r"array|taught"):
        opened(made)


def test_contents_alone_are_refused(made: Path, tmp_path: Path) -> None:
    members = archive.read(made)
    with pytest.raises(BundleError, match="part alone"):
        archive.seal_taught(
            tmp_path / "half.foveal", members.manifest.draft(), model=members.model, golden=members.golden,
            taught={archive.CONTENTS: members.taught[archive.CONTENTS]},
        )  # fmt: skip
