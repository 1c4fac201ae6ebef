"""Batch norm that learns to make answers surer."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy as by_scipy
from torch import nn

from foveal.core.errors import UsageError
from foveal.core.progress import silent
from foveal.data.preprocess import Preprocess
from foveal.models.nano import nano
from foveal.tasks.recognizer import Recognizer
from foveal.train import adapting
from foveal.train.adaptation._adapted import Adapted
from foveal.train.adaptation.entropy import Entropy, mean_entropy
from foveal.train.examples import Examples
from foveal.train.objective import Batch

PREPROCESS = Preprocess(size=16, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)
LEARNED = (".weight", ".bias", ".running_mean", ".running_var", ".num_batches_tracked")


def recognizer() -> Recognizer:
    torch.manual_seed(0)
    network = nano(channels=3, classes=3, size=16).eval()
    with torch.no_grad():
        network.head.weight *= 20  # as sure of some pictures as one that learned
    return Recognizer(network, "nano", {}, PREPROCESS, ("a", "b", "c"))


def adapted(count: int = 80, **given: float) -> Adapted:
    images = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    shown = Examples(images, np.zeros(count, np.int64), np.arange(count))
    settings = adapting.settings_of("entropy", given)
    return adapting.method("entropy")(recognizer(), shown, settings, seed=0, threads=1, progress=silent)


def test_the_loss_is_the_entropy_in_nats() -> None:
    logits = torch.randn(50, 7, generator=torch.Generator().manual_seed(0)) * 3
    expected = by_scipy(logits.softmax(dim=1).double().numpy(), axis=1).mean()
    assert float(mean_entropy(logits)) == pytest.approx(expected, rel=1e-5)
    assert float(mean_entropy(torch.zeros(2, 7))) == pytest.approx(np.log(7), rel=1e-6)
    assert float(mean_entropy(torch.tensor([[1e4, 0.0]]))) == 0


def test_nothing_but_batch_norm_changes() -> None:
    before, found = recognizer().network, adapted(epochs=4, rate=0.01)
    allowed = {
        f"{name}{part}"
        for name, module in before.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for part in LEARNED
    }

    after = found.recognizer.network.state_dict()
    changed = {name for name, t in before.state_dict().items() if not torch.equal(t, after[name])}

    assert changed == allowed
    assert found.steps == 4
    kept = {name: p.requires_grad for name, p in before.named_parameters()}
    assert {name: p.requires_grad for name, p in found.recognizer.network.named_parameters()} == kept


def test_answers_become_surer() -> None:
    images = np.random.default_rng(0).integers(0, 256, (80, 16, 16, 3), dtype=np.uint8)
    few, many = (adapted(epochs=epochs, rate=0.02) for epochs in (0.01, 20))
    sure = [float(mean_entropy(torch.from_numpy(one.recognizer.logits(images)))) for one in (few, many)]
    assert sure[1] < 0.7 * sure[0]
    assert many.history[-1]["loss"] < many.history[0]["loss"]


def test_dropout_stays_out_while_batch_norm_looks_at_the_batch() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(784, 3)
    )
    objective = Entropy(network, PREPROCESS).train()
    assert [module.training for module in network] == [False, True, False, False, False]
    images = torch.zeros(4, 16, 16, 3, dtype=torch.uint8).random_(generator=torch.Generator().manual_seed(0))
    count = torch.arange(4)
    objective(Batch(images, count * 0, count, count * 0, 0.0, torch.Generator())).loss.backward()
    assert [name for name, p in network.named_parameters() if p.grad is not None] == ["1.weight", "1.bias"]
    assert not any(module.training for module in objective.eval().modules())


def test_without_a_scale_there_is_nothing_to_learn() -> None:
    with pytest.raises(UsageError) as caught:
        Entropy(nn.BatchNorm2d(3, affine=False), PREPROCESS)
    assert caught.value.code == "no_affine"
