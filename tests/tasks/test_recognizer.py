"""tasks.recognizer: answers in eval mode whatever happened before, and comes back from its folder."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from foveal.core.errors import DataError, WriteError
from foveal.data.preprocess import Preprocess
from foveal.models import Architecture
from foveal.models._cost import cost
from foveal.models.nano import nano
from foveal.tasks.recognizer import Recognizer, build, load, save

ARGUMENTS = {"channels": 3, "classes": 2, "size": 16, "widths": [4, 4, 4]}
PREPROCESS = Preprocess(size=16, channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.2))
IMAGES = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def recognizer() -> Recognizer:
    torch.manual_seed(0)
    return Recognizer(build("nano", ARGUMENTS).eval(), "nano", ARGUMENTS, PREPROCESS, ("ok", "dent"))


def test_it_answers_in_eval_mode_and_learns_nothing_from_being_asked(recognizer: Recognizer) -> None:
    before = recognizer.logits(IMAGES)
    state = {name: value.clone() for name, value in recognizer.network.state_dict().items()}

    recognizer.network.train()
    again = recognizer.logits(IMAGES)

    assert np.array_equal(before, again)
    assert all(torch.equal(value, state[name]) for name, value in recognizer.network.state_dict().items())


def test_its_cost_is_that_of_its_own_input_size(recognizer: Recognizer) -> None:
    apart = cost(Architecture(partial(nano, widths=[4, 4, 4])), size=16, channels=3, classes=2)

    assert replace(recognizer.cost(), name=apart.name) == apart


@pytest.mark.parametrize("batch", [1, 4, 256])
def test_the_batch_size_does_not_matter(recognizer: Recognizer, batch: int) -> None:
    np.testing.assert_allclose(recognizer.logits(IMAGES, batch=batch), recognizer.logits(IMAGES), atol=1e-5)


def test_no_image_gives_no_answer(recognizer: Recognizer) -> None:
    assert recognizer.logits(IMAGES[:0]).shape == (0, 2)


def test_other_weights_give_another_recognizer_and_leave_this_one_alone(recognizer: Recognizer) -> None:
    before = recognizer.logits(IMAGES)
    weights = {name: value.clone() for name, value in recognizer.network.state_dict().items()}
    weights["head.bias"] += 1

    other = recognizer.with_weights(weights)

    np.testing.assert_allclose(other.logits(IMAGES), before + 1 / 8, atol=1e-5)  # nano divides by 8
    assert np.array_equal(recognizer.logits(IMAGES), before)


def test_what_was_saved_is_what_is_loaded(recognizer: Recognizer, tmp_path: Path) -> None:
    save(recognizer, tmp_path / "model")

    back = load(tmp_path / "model")

    assert np.array_equal(back.logits(IMAGES), recognizer.logits(IMAGES))
    assert (back.classes, back.preprocess, back.task) == (("ok", "dent"), PREPROCESS, "classify")
    assert {p.name for p in (tmp_path / "model").iterdir()} == {"structure.json", "weights.safetensors"}


@pytest.mark.parametrize("damage", ["weights", "structure", "arguments", "missing"])
def test_a_damaged_folder_is_refused(recognizer: Recognizer, tmp_path: Path, damage: str) -> None:
    save(recognizer, tmp_path)
    structure = tmp_path / "structure.json"
    if damage == "weights":
        (tmp_path / "weights.safetensors").write_bytes(b"not weights")
    elif damage == "structure":
        structure.write_text("{", encoding="utf-8")
    elif damage == "arguments":
        changed = json.loads(structure.read_text(encoding="utf-8"))
        changed["arguments"]["classes"] = 5
        structure.write_text(json.dumps(changed), encoding="utf-8")
    else:
        structure.unlink()

    with pytest.raises(DataError, match="holds no readable model"):
        load(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error_of_writing(recognizer: Recognizer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(WriteError, match="cannot make"):
        save(recognizer, tmp_path / "file" / "model")
