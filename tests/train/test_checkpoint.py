"""train.checkpoint: saved whole, adopted by another plan, errors of the disk are errors of writing."""

import pytest
import torch

from foveal.core.errors import WriteError
from foveal.train import checkpoint

TENSORS = {"objective.a": torch.arange(3.0)}


def test_another_plan_adopts_the_checkpoints_of_one_plan_only(tmp_path):
    for step, plan in ((1, "old"), (2, "other"), (3, "old")):
        checkpoint.save(tmp_path / plan, tensors=TENSORS, about={"step": step}, plan=plan)

    for _ in range(2):
        for folder in ("old", "other", "missing"):
            checkpoint.adopt(tmp_path / folder, plan="old", by="new")

    adopted = checkpoint.latest(tmp_path / "old", plan="new")
    assert adopted is not None
    assert adopted.about["step"] == 3
    assert torch.equal(adopted.part("objective")["a"], torch.arange(3.0))
    assert checkpoint.latest(tmp_path / "old", plan="old") is None
    assert checkpoint.latest(tmp_path / "other", plan="other") is not None


def test_a_folder_that_cannot_be_made_is_an_error_of_writing(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(WriteError, match="cannot make"):
        checkpoint.save(tmp_path / "file" / "a", tensors=TENSORS, about={"step": 1}, plan="p")


def test_an_old_checkpoint_that_cannot_be_removed_is_an_error_of_writing(tmp_path, monkeypatch):
    def refused(self, missing_ok=False):
        raise PermissionError(13, "Permission denied")

    checkpoint.save(tmp_path, tensors=TENSORS, about={"step": 1}, plan="other")
    monkeypatch.setattr("pathlib.Path.unlink", refused)

    with pytest.raises(WriteError, match="cannot remove"):
        checkpoint.save(tmp_path, tensors=TENSORS, about={"step": 2}, plan="p")
