"""train.loop: learns, sees every picture equally often, stops and goes on without losing a bit."""

import itertools
import json
import signal
import time
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import DataError, UsageError
from foveal.train import checkpoint, loop
from foveal.train.examples import Examples
from foveal.train.loop import fetch, fit


def same_weights(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def stop_at(step, number=signal.SIGINT):
    def progress(stage, done, total, note=""):
        if done == step:
            signal.raise_signal(number)

    return progress


def test_it_learns_what_can_be_learned(examples, plan, supervised):
    plan = plan.model_copy(update={"steps": 96})
    objective = supervised(plan)

    fitted = fit(objective, examples, plan)

    objective.deployable().load_state_dict(fitted.weights)
    objective.eval()
    batch = fetch(examples, plan.model_copy(update={"batch_size": 80}), 0)
    images, _ = supervised(plan.model_copy(update={"augmentation": {}})).views(batch)
    predicted = objective.deployable()(images).argmax(1)
    assert (predicted == batch.labels).float().mean() > 0.95
    assert fitted.history[-1]["loss"] < fitted.history[0]["loss"]
    assert [row["step"] for row in fitted.history] == list(range(1, 97))


def test_two_runs_of_one_plan_end_in_the_same_bits(examples, plan, supervised):
    first, second = (fit(supervised(plan), examples, plan) for _ in range(2))

    assert same_weights(first.weights, second.weights)
    assert first.history == second.history


def test_another_seed_ends_elsewhere(examples, plan, supervised):
    other = plan.model_copy(update={"seed": 1})

    assert not same_weights(
        fit(supervised(plan), examples, plan).weights, fit(supervised(other), examples, other).weights
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("step", [1, 7, 23])
def test_interrupted_and_resumed_equals_undisturbed(tmp_path, examples, plan, supervised, precision, step):
    plan = plan.model_copy(update={"precision": precision})
    undisturbed = fit(supervised(plan), examples, plan)
    with pytest.raises(KeyboardInterrupt):
        fit(supervised(plan), examples, plan, checkpoints=tmp_path, progress=stop_at(step))

    resumed = fit(supervised(plan), examples, plan, checkpoints=tmp_path)

    assert resumed.resumed_from == step
    assert same_weights(resumed.weights, undisturbed.weights)
    assert resumed.history == undisturbed.history


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path, examples, plan, supervised):
    undisturbed = fit(supervised(plan), examples, plan)
    for step in (5, 9):
        with pytest.raises(KeyboardInterrupt):
            fit(supervised(plan), examples, plan, checkpoints=tmp_path, progress=stop_at(step))
    newest = tmp_path / "step-000000009.safetensors"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)

    resumed = fit(supervised(plan), examples, plan, checkpoints=tmp_path)

    assert resumed.resumed_from == 5
    assert resumed.passed_over == ("step-000000009",)
    assert same_weights(resumed.weights, undisturbed.weights)


def test_a_checkpoint_of_another_plan_is_not_used(tmp_path, examples, plan, supervised):
    with pytest.raises(KeyboardInterrupt):
        fit(supervised(plan), examples, plan, checkpoints=tmp_path, progress=stop_at(3))
    other = plan.model_copy(update={"learning_rate": 0.2})

    assert fit(supervised(other), examples, other, checkpoints=tmp_path).resumed_from == 0


def test_a_checkpoint_of_a_network_that_has_changed_since_is_refused(tmp_path, examples, plan, supervised):
    with pytest.raises(KeyboardInterrupt):
        fit(supervised(plan), examples, plan, checkpoints=tmp_path, progress=stop_at(3))
    changed = supervised(plan)
    changed.network.extra = torch.nn.Linear(2, 2)

    with pytest.raises(DataError, match="nano has changed since") as caught:
        fit(changed, examples, plan, checkpoints=tmp_path)
    assert caught.value.code == "other_network"


def test_a_finished_run_has_nothing_left_to_do(tmp_path, examples, plan, supervised):
    first = fit(supervised(plan), examples, plan, checkpoints=tmp_path)

    again = fit(supervised(plan), examples, plan, checkpoints=tmp_path)

    assert again.resumed_from == plan.steps
    assert same_weights(first.weights, again.weights)
    assert len(list(tmp_path.glob("*.json"))) <= 2


def test_terminate_saves_before_it_is_passed_on(tmp_path, examples, plan, supervised):
    seen = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(supervised(plan), examples, plan, checkpoints=tmp_path, progress=stop_at(4, signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, previous)

    assert seen == [signal.SIGTERM]
    assert checkpoint.latest(tmp_path, plan=plan.digest).about["step"] == 4


def test_an_ignored_signal_does_not_end_a_training_early(examples, plan, supervised):
    undisturbed = fit(supervised(plan), examples, plan)
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        fitted = fit(supervised(plan), examples, plan, progress=stop_at(4))
    finally:
        signal.signal(signal.SIGINT, previous)

    assert same_weights(fitted.weights, undisturbed.weights)


@given(count=st.integers(1, 40), batch=st.integers(1, 50), steps=st.integers(1, 8))
def test_every_picture_is_seen_equally_often(count, batch, steps):
    from foveal.train.plan import Plan

    examples = Examples(
        np.zeros((count, 1, 1, 1), np.uint8), np.arange(count), np.arange(count, dtype=np.int64)
    )
    plan = Plan(
        model="nano", arguments={}, images=count, steps=steps, batch_size=batch, learning_rate=1,
        weight_decay=0, label_smoothing=0, ema_share=1, augmentation={}, precision="fp32", seed=3, threads=1,
        step_seconds=0,
    )  # fmt: skip

    seen = Counter(label for step in range(steps) for label in fetch(examples, plan, step).labels.tolist())

    assert sum(seen.values()) == steps * batch
    assert max(seen.values()) - min(seen.get(k, 0) for k in range(count)) <= 1


def test_labels_stay_with_their_pictures(examples, plan):
    examples = Examples(examples.images, np.arange(90), examples.indices)
    examples.images[:, 0, 0, 0] = np.arange(90)

    batch = fetch(examples, plan, 2)

    assert torch.equal(batch.images[:, 0, 0, 0].long(), batch.labels)
    assert torch.equal(batch.labels, torch.from_numpy(examples.indices)[batch.rows])


def test_the_process_is_left_as_it_was(examples, plan, supervised):
    threads, handler = torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    fit(supervised(plan), examples, plan.model_copy(update={"threads": 1}))

    assert torch.equal(torch.rand(3), expected), "the global random state"
    assert (torch.get_num_threads(), signal.getsignal(signal.SIGINT)) == (threads, handler)


def test_a_diverged_loss_is_an_error_that_says_what_to_do(examples, plan, supervised):
    wild = plan.model_copy(update={"learning_rate": 1e30})

    with pytest.raises(DataError, match="training diverged") as caught:
        fit(supervised(wild), examples, wild)

    assert caught.value.code == "diverged"
    assert "learning rate" in caught.value.hint


def test_a_plan_for_other_data_is_refused(examples, plan, supervised):
    with pytest.raises(UsageError, match="the plan is for 81 images; got 80"):
        fit(supervised(plan), examples, plan.model_copy(update={"images": 81}))


def test_checkpoints_come_at_least_every_thirty_seconds_of_work(
    tmp_path, examples, plan, supervised, monkeypatch
):
    clock = itertools.count(0.0, 2.0)  # every look at the clock is two seconds later
    monkeypatch.setattr(loop.time, "monotonic", lambda: next(clock))
    saved = []
    save = loop.State.save
    monkeypatch.setattr(
        loop.State, "save", lambda self, folder: (saved.append(self.step), save(self, folder))
    )

    fit(supervised(plan), examples, plan, checkpoints=tmp_path)

    looks_per_step = 4
    assert saved[-1] == plan.steps
    assert max(b - a for a, b in itertools.pairwise([0, *saved])) * looks_per_step * 2.0 <= 32


def test_only_fetching_counts_as_waiting(examples, plan, supervised):
    slow = fit(supervised(plan), examples, plan, progress=lambda *_: time.sleep(0.05))

    assert slow.waiting_share < 0.3
    assert slow.seconds == slow.seconds_now


def test_stale_checkpoints_do_not_push_out_new_ones(tmp_path):
    for step in (90, 80):
        checkpoint.save(tmp_path, tensors={"a.b": torch.ones(1)}, about={"step": step}, plan="given up")
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, tensors={"a.b": torch.ones(1)}, about={"step": step}, plan="new")

    assert checkpoint.latest(tmp_path, plan="new").about["step"] == 3
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == ["step-000000002", "step-000000003"]
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


def test_an_unreadable_checkpoint_note_is_passed_over(tmp_path):
    (tmp_path / "step-000000001.json").write_text("{")

    assert checkpoint.latest(tmp_path, plan="x") is None
    checkpoint.save(tmp_path, tensors={"a.b": torch.ones(2)}, about={"step": 2}, plan="x")
    assert json.loads((tmp_path / "step-000000002.json").read_text())["step"] == 2
    assert torch.equal(checkpoint.latest(tmp_path, plan="x").part("a")["b"], torch.ones(2))
