"""train.multimodal.clip: its loss by hand, several right texts, the bound of the scale, nothing forgotten."""

import math
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from foveal.data.preprocess import Preprocess
from foveal.data.texts.tokenizer import WordTokenizer, token_table
from foveal.models.image_text.dual_encoder import DualEncoder, image_encoder
from foveal.models.image_text.transformer import TextTransformer
from foveal.train.examples import Examples
from foveal.train.loop import fetch, fit
from foveal.train.multimodal.clip import Captions, Clip, shared_loss
from foveal.train.plan import Plan

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 220), "white": (240, 240, 240)}
TEXTS = [f"{'a small' if i % 2 else 'one'} {name} thing" for name in COLOURS for i in range(2)]
PREPROCESS = Preprocess(size=16, channels=3, mean=(0.4, 0.4, 0.4), std=(0.3, 0.3, 0.3))
ARGUMENTS = {"channels": 3, "classes": 16, "size": 16, "widths": [8, 16, 16]}
RATES = {"text_rate": 3e-3, "scale_rate": 1e-2}
WORDS = WordTokenizer.learned(TEXTS, most=99)


@pytest.fixture
def plan():
    return Plan(
        model="nano",
        arguments=ARGUMENTS,
        images=64,
        steps=24,
        batch_size=32,
        learning_rate=0.1,
        weight_decay=1e-3,
        label_smoothing=0.0,
        ema_share=0.1,
        augmentation={"shift": 0.1},
        precision="fp32",
        objective="clip",
        settings=RATES,
        seed=0,
        threads=torch.get_num_threads(),
        step_seconds=0.0,
    )


@pytest.fixture
def examples():
    """64 pairs of 32 pictures: each picture has both texts of its colour."""
    rng = np.random.default_rng(0)
    colours = np.array(list(COLOURS.values()))[np.arange(32) % 4]
    images = np.clip(colours[:, None, None, :] + rng.normal(0, 25, (32, 16, 16, 3)), 0, 255).astype(np.uint8)
    return Examples(images, np.zeros(32, np.int64), np.repeat(np.arange(32), 2))


def captions(examples, texts=None):
    """Each pair's text is that of its picture's colour, unless others are given."""
    colour = examples.indices % 4
    which = 2 * colour + np.arange(64) % 2 if texts is None else texts
    return Captions(token_table(WORDS, TEXTS, length=8), which, examples.indices)


def make(examples, texts=None, *, seed=0, augmentation=None):
    torch.manual_seed(seed)
    image = image_encoder("nano", ARGUMENTS)
    text = TextTransformer(
        vocabulary=WORDS.size, length=8, width=32, layers=1, heads=1, dimensions=16, end=WORDS.end
    )
    return Clip(
        DualEncoder(image, text),
        captions(examples, texts),
        preprocess=PREPROCESS,
        augmentation=augmentation or {},
        settings=RATES,
    )


def by_hand(objective, batch):
    """Return loss and share of right pictures, in numpy and from the definition alone."""
    with torch.no_grad():
        images = objective.network.images(objective.views(batch)).numpy().astype(np.float64)
        rows = batch.rows
        texts = objective.texts[rows].numpy()
        words = objective.network.texts(objective.tokens[texts]).numpy().astype(np.float64)
    known = {(int(p), int(t)) for p, t in zip(objective.pictures, objective.texts, strict=True)}
    pictures = objective.pictures[rows].numpy()
    right = np.array([[(int(p), int(t)) in known for t in texts] for p in pictures])
    logits = math.exp(float(objective.network.logit_scale.detach())) * images @ words.T

    def one_way(logits, right):
        found = []
        for row, fits in zip(logits, right, strict=True):
            total = np.log(np.exp(row - row.max()).sum()) + row.max()
            found.append(np.mean([total - value for value, fit in zip(row, fits, strict=True) if fit]))
        return np.mean(found)

    first = logits.argmax(1)
    return (one_way(logits, right) + one_way(logits.T, right.T)) / 2, right[
        np.arange(len(first)), first
    ].sum()


def test_the_loss_is_that_of_an_independent_computation(examples, plan):
    objective = make(examples).eval()
    batch = fetch(examples, plan, 0)

    losses = objective(batch)

    loss, correct = by_hand(objective, batch)
    assert float(losses.loss.detach()) == pytest.approx(loss, abs=1e-5)
    assert (int(losses.correct), losses.counted) == (correct, 32)


def test_with_as_many_different_pairs_the_loss_begins_near_ln_n():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (64, 16, 16, 3), dtype=np.uint8)
    examples = Examples(images, np.zeros(64, np.int64), np.arange(64))
    texts = [f"{a} {b}" for a in "abcdefgh" for b in "ijklmnop"]
    objective = make(examples)
    words = WordTokenizer(())
    objective.network.text = TextTransformer(
        vocabulary=words.size, length=8, width=32, layers=1, heads=1, dimensions=16, end=words.end
    )
    table = Captions(token_table(words, texts, length=8), np.arange(64), np.arange(64))
    objective = Clip(objective.network, table, preprocess=PREPROCESS, augmentation={}, settings=RATES)
    with torch.no_grad():
        objective.network.logit_scale.zero_()  # with a scale of 1, cosines hardly matter yet

    batch = fetch(examples, Plan(**{**_plan(), "images": 64, "batch_size": 64}), 0)

    assert float(objective(batch).loss.detach()) == pytest.approx(math.log(64), abs=0.15)


def _plan():
    return {
        "model": "nano", "arguments": ARGUMENTS, "images": 64, "steps": 1, "batch_size": 64,
        "learning_rate": 0.1, "weight_decay": 0.0, "label_smoothing": 0.0, "ema_share": 0.1,
        "augmentation": {}, "precision": "fp32", "seed": 0, "threads": 1, "step_seconds": 0.0,
    }  # fmt: skip


def test_several_right_texts_share_the_target():
    logits = torch.tensor([[2.0, 2.0, -1.0], [0.0, 1.0, 3.0]])
    right = torch.tensor([[True, True, False], [False, False, True]])

    found = float(shared_loss(logits, right))

    first = math.log(2 * math.e**2 + math.e**-1) - 2
    second = math.log(1 + math.e + math.e**3) - 3
    assert found == pytest.approx((first + second) / 2, abs=1e-6)
    # All copies right, and equally near: what is left is the entropy of the target, and no gradient.
    sure = torch.tensor([[30.0, 30.0, 0.0]], requires_grad=True)
    loss = shared_loss(sure, torch.tensor([[True, True, False]]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(math.log(2), abs=1e-6)
    assert sure.grad.abs().max() < 1e-6


def test_the_place_in_the_batch_as_label_would_train_against_right_pairs():
    """Two copies of one caption, and cosines that are as they should be: rows 0 and 1 alike."""
    right = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    perfect = torch.where(right, 20.0, 0.0)

    def pull(loss):
        logits = perfect.clone().requires_grad_()
        loss(logits).backward()
        return logits.grad

    by_place = pull(lambda logits: torch.nn.functional.cross_entropy(logits, torch.arange(3)))
    ours = pull(lambda logits: shared_loss(logits, right))

    assert by_place[0, 1] > 0.1  # a step lowers the cosine of a right pair
    assert ours.abs().max() < 1e-6


def test_a_text_that_any_pair_of_the_data_gives_a_picture_is_right_for_it(examples):
    objective = make(examples, texts=np.arange(64) % 8)
    # Picture 0 has texts 0 and 1 in pairs 0 and 1; picture 4 has texts 0 and 1 in pairs 8 and 9.
    right = objective.right(torch.tensor([0, 4, 1]), torch.tensor([0, 1, 2]))

    assert right.tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_what_is_right_is_known_beyond_the_batch(examples):
    objective = make(examples)
    rows = torch.tensor([0, 3])  # picture 0 with its first text, picture 1 with its second one

    right = objective.right(objective.pictures[rows], torch.tensor([0, 1]))

    assert right[0].tolist() == [True, True]  # the second text of its colour stands in no pair of the batch


def trained(examples, plan, texts=None, **changes):
    objective = make(examples, texts, augmentation=plan.augmentation)
    fitted = fit(objective, examples, plan.model_copy(update={"steps": 60, **changes}))
    network = objective.deployable()
    network.load_state_dict(fitted.weights)
    return network.eval(), fitted


def nearest(network, images, texts):
    with torch.no_grad():
        scaled = (torch.from_numpy(images).float().permute(0, 3, 1, 2) / 255 - 0.4) / 0.3
        words = network.texts(torch.from_numpy(token_table(WORDS, texts, length=8)))
        return (network.images(scaled) @ words.T).argmax(1)


def test_it_learns_and_swapping_two_texts_swaps_the_answers(examples, plan):
    network, fitted = trained(examples, plan)
    asked = ["one red thing", "one green thing", "one blue thing", "one white thing"]

    found = nearest(network, examples.images, asked)

    assert (found == torch.arange(32) % 4).float().mean() > 0.95
    assert fitted.history[-1]["loss"] < fitted.history[0]["loss"]
    swapped = nearest(network, examples.images, [asked[1], asked[0], *asked[2:]])
    assert torch.equal(swapped, torch.tensor([1, 0, 2, 3])[found])


def test_texts_dealt_out_at_random_teach_nothing_of_new_pictures(examples, plan):
    texts = np.random.default_rng(3).permutation(2 * (examples.indices % 4) + np.arange(64) % 2)
    network, _ = trained(examples, plan, texts)
    fresh = np.random.default_rng(9)
    colours = np.array(list(COLOURS.values()))[np.arange(200) % 4]
    images = np.clip(colours[:, None, None] + fresh.normal(0, 25, (200, 16, 16, 3)), 0, 255).astype(np.uint8)

    found = nearest(network, images, [f"one {name} thing" for name in COLOURS])

    assert (
        found == torch.arange(200) % 4
    ).float().mean() < 0.55  # whole colours fall on one text: 0, 1/4, 1/2


def test_the_scale_stays_within_its_bound_however_fast_it_learns(examples, plan):
    objective = make(examples)
    objective.rates = {**RATES, "scale_rate": 5.0}

    fit(objective, examples, plan)

    assert float(objective.network.logit_scale.detach()) <= math.log(100) + 1e-6
    with torch.no_grad():
        objective.network.logit_scale.fill_(50.0)
    assert float(objective.network.scale.detach()) == pytest.approx(100, rel=1e-5)
    objective.after_step(0.0)
    assert float(objective.network.logit_scale.detach()) == pytest.approx(math.log(100), rel=1e-6)


def test_interrupted_and_resumed_equals_undisturbed(tmp_path, examples, plan):
    def stop(stage, done, total, note=""):
        if done == 7:
            signal.raise_signal(signal.SIGINT)

    undisturbed = fit(make(examples, augmentation=plan.augmentation), examples, plan)
    with pytest.raises(KeyboardInterrupt):
        fit(
            make(examples, augmentation=plan.augmentation),
            examples,
            plan,
            checkpoints=tmp_path,
            progress=stop,
        )

    # Another seed: nothing of what it begins with may matter.
    again = make(examples, seed=1, augmentation=plan.augmentation)
    resumed = fit(again, examples, plan, checkpoints=tmp_path)

    assert resumed.resumed_from == 7
    assert resumed.history == undisturbed.history
    assert all(torch.equal(resumed.weights[name], one) for name, one in undisturbed.weights.items())


def test_only_what_is_in_the_state_changes_in_a_step(examples, plan):
    objective = make(examples)
    constants = {
        name: b.clone() for name, b in objective.named_buffers() if name not in objective.state_dict()
    }

    fit(objective, examples, plan)

    assert set(constants) == {"tokens", "texts", "pictures", "known"}
    assert all(torch.equal(constants[name], objective.get_buffer(name)) for name in constants)


def test_the_parts_of_a_batch_make_up_the_whole(examples, plan):
    objective = make(examples).eval()
    batch = fetch(examples, plan, 0)
    whole = float(objective(batch).loss.detach())

    parts = [
        float(objective(replace(batch, part=part)).loss.detach()) for part in (slice(0, 8), slice(8, 32))
    ]

    assert whole == pytest.approx((8 * parts[0] + 24 * parts[1]) / 32, abs=1e-5)
