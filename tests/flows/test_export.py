"""flows.export: the same file again, from the run and its data, or a reason why not."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from foveal.bundle import archive
from foveal.core.errors import DataError, NotFoundError, UsageError, WriteError
from foveal.export import sealing
from foveal.flows.export import check_variant, export


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def run(trained, tmp_path):
    """Return a copy of a finished run."""
    return Path(shutil.copytree(trained.run, tmp_path / "run"))


def test_it_is_the_bundle_of_the_run_to_the_bit_of_its_digest_and_the_run_is_only_read(
    run, trained, tmp_path
):
    before = contents(run)

    result = export(run, tmp_path / "again.foveal")

    document = result.as_json()
    assert document["schema"] == "foveal.export/1"
    assert document["ok"] is True
    assert document["digest"] == trained.document["digest"]
    assert document["parity"] == trained.document["parity"]
    assert document["size_bytes"] == (tmp_path / "again.foveal").stat().st_size
    ours, theirs = archive.read(tmp_path / "again.foveal").manifest, archive.read(trained.bundle).manifest
    assert ours.model_dump(exclude={"members"}) == theirs.model_dump(exclude={"members"})
    assert {**ours.members, "report.json": theirs.members["report.json"]} == theirs.members
    assert contents(run) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.foveal", "run"]


def test_data_that_moved_are_named_and_others_refused(run, trained, colors, tmp_path):
    moved = shutil.copytree(colors, tmp_path / "elsewhere" / "colors")
    command = json.loads((run / "command.json").read_text())
    (run / "command.json").write_text(json.dumps({**command, "data": str(tmp_path / "gone")}))

    with pytest.raises(NotFoundError, match=r"found its data at .*gone, where nothing is now") as caught:
        export(run, tmp_path / "a.foveal")
    assert "--data DATA" in caught.value.hint
    export(run, tmp_path / "a.foveal", data=moved)
    (moved / "red" / "000.png").unlink()
    with pytest.raises(DataError) as caught:
        export(run, tmp_path / "b.foveal", data=moved)

    assert caught.value.code == "split_mismatch"
    assert archive.read(tmp_path / "a.foveal").manifest.digest == trained.document["digest"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.foveal", "elsewhere", "run"]


def test_a_run_of_an_older_version_does_not_say_where_its_data_are(run, colors, tmp_path):
    (run / "command.json").write_text('{"name": "colors", "strict": false}')

    with pytest.raises(NotFoundError, match="does not say where its data are"):
        export(run, tmp_path / "a.foveal")

    assert export(run, tmp_path / "a.foveal", data=colors).exported.bundle is not None


def test_an_export_that_decides_differently_leaves_no_file(run, tmp_path, monkeypatch):
    monkeypatch.setattr(sealing, "calibrated", lambda z, t: np.roll(np.float32(z), 1, axis=1))
    (tmp_path / "a.foveal").write_bytes(b"an older one")

    document = export(run, tmp_path / "a.foveal", force=True).as_json()

    assert (document["ok"], document["bundle"], document["size_bytes"]) == (False, None, None)
    assert document["gates"][0]["verdict"] == "fail"
    assert not (tmp_path / "a.foveal").exists()


def test_places_that_cannot_be_are_refused_before_any_work(run, colors, tmp_path):
    def refused(out: Path, kind: type[Exception], match: str) -> None:
        with pytest.raises(kind, match=match):
            export(run, out)

    (tmp_path / "there.foveal").write_bytes(b"x")
    refused(tmp_path / "a.onnx", UsageError, "ends in .foveal")
    refused(tmp_path / "there.foveal", WriteError, "is there already")
    refused(tmp_path / "none" / "a.foveal", WriteError, "there is no folder")
    refused(colors / "a.foveal", WriteError, "only read")
    refused(run / "second.foveal", WriteError, "holds a bundle already")
    assert (tmp_path / "there.foveal").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("lost", "hint"), [("recipe.toml", "RUN is a folder of foveal train"), ("split.json", "--resume")]
)
def test_a_folder_that_holds_no_finished_run_is_refused(run, tmp_path, lost, hint):
    (run / lost).unlink()

    with pytest.raises(NotFoundError, match=f"no finished run: it has no {lost}") as caught:
        export(run, tmp_path / "a.foveal")

    assert hint in caught.value.hint


def test_a_variant_that_is_not_there_yet_says_where_it_comes_from():
    check_variant("fp32")

    with pytest.raises(
        UsageError, match="no variant 'int8' yet: reduced precision comes with foveal optimize"
    ):
        check_variant("int8")
