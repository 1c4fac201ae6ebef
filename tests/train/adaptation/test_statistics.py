"""Statistics of batch norm, mixed from old and new pictures, against sums by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.core.errors import RecipeError, UnknownNameError, UsageError
from foveal.core.progress import silent
from foveal.data.clip import Clip
from foveal.data.preprocess import Preprocess
from foveal.models.nano import nano
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer
from foveal.train import adapting
from foveal.train.adaptation._adapted import Adapted, check_adaptable
from foveal.train.examples import Examples

PREPROCESS = Preprocess(size=16, channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


class Small(nn.Module):
    """Two layers that are normalized, and dropout that must stay out of it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)
        self.second, self.second_norm = nn.Linear(5, 7), nn.BatchNorm1d(7)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(7, 3)

    def forward(self, images: Tensor) -> Tensor:
        features = F.relu(self.first_norm(self.first(images))).mean(dim=(2, 3))
        logits: Tensor = self.head(self.drop(F.relu(self.second_norm(self.second(features)))))
        return logits


@pytest.fixture
def small() -> Recognizer:
    """Return a recognizer whose statistics are those of no pictures at all."""
    torch.manual_seed(0)
    network = Small()
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 2.0)
        for layer in (network.first_norm, network.second_norm):
            layer.weight.uniform_(0.5, 1.5)
            layer.bias.uniform_(-0.5, 0.5)
    return Recognizer(network.eval(), "small", {}, PREPROCESS, ("a", "b", "c"))


def pictures(count: int, seed: int = 0) -> Examples:
    images = np.random.default_rng(seed).integers(0, 180, (count, 16, 16, 3), dtype=np.uint8)
    return Examples(images, np.zeros(count, np.int64), np.arange(count))


def statistics(recognizer: Recognizer, shown: Examples, **given: float) -> Adapted:
    settings = adapting.settings_of("statistics", given)
    return adapting.method("statistics")(recognizer, shown, settings, seed=0, threads=1, progress=silent)


def mixed(old: Tensor, new: np.ndarray, prior: float, count: int) -> np.ndarray:
    return prior / (prior + count) * old.numpy() + count / (prior + count) * new


def normalized(layer: nn.Module, values: np.ndarray, mean: np.ndarray, var: np.ndarray) -> np.ndarray:
    shape = (1, -1, 1, 1)[: values.ndim]
    scale = layer.weight.detach().numpy() / np.sqrt(var + layer.eps)
    return (values - mean.reshape(shape)) * scale.reshape(shape) + layer.bias.detach().numpy().reshape(shape)


@pytest.mark.parametrize("prior", [0, 16, 500])
def test_every_layer_has_the_mixture_by_hand(small: Recognizer, prior: float) -> None:
    """Layer by layer in numpy, the second one behind the first as it is adapted."""
    count, network = 40, small.network
    shown = pictures(count)
    with torch.no_grad():
        maps = network.first(learn.normalize(torch.from_numpy(shown.images), PREPROCESS)).numpy()
    mean = mixed(network.first_norm.running_mean, maps.mean(axis=(0, 2, 3)), prior, count)
    values = maps.shape[0] * maps.shape[2] * maps.shape[3]
    variance = mixed(
        network.first_norm.running_var, maps.var(axis=(0, 2, 3)) * values / (values - 1), prior, count
    )
    features = np.maximum(normalized(network.first_norm, maps, mean, variance), 0).mean(axis=(2, 3))
    inner = features @ network.second.weight.detach().numpy().T + network.second.bias.detach().numpy()

    found = statistics(small, shown, prior=prior).recognizer.network

    np.testing.assert_allclose(found.first_norm.running_mean, mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.first_norm.running_var, variance, rtol=1e-4)
    expected = mixed(network.second_norm.running_mean, inner.mean(axis=0), prior, count)
    np.testing.assert_allclose(found.second_norm.running_mean, expected, rtol=1e-4, atol=1e-5)
    expected = mixed(network.second_norm.running_var, inner.var(axis=0, ddof=1), prior, count)
    np.testing.assert_allclose(found.second_norm.running_var, expected, rtol=1e-3)


def test_all_pictures_of_all_batches_count_the_same(small: Recognizer) -> None:
    """Pictures dark and bright in three batches, the last one of 88; only the rows that are named count."""
    rng = np.random.default_rng(0)
    images = (pictures(700).images // 4 + rng.choice([0, 200], (700, 1, 1, 1))).astype(np.uint8)
    shown = Examples(images, np.zeros(700, np.int64), np.arange(50, 650))
    with torch.no_grad():
        maps = small.network.first(learn.normalize(torch.from_numpy(images[50:650]), PREPROCESS))
    values = maps.double().numpy()

    found = statistics(small, shown, prior=0).recognizer.network.first_norm

    np.testing.assert_allclose(found.running_mean, values.mean(axis=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.running_var, values.var(axis=(0, 2, 3)), rtol=1e-4)


def test_nothing_else_changes_and_the_recognizer_is_left_alone() -> None:
    torch.manual_seed(0)
    network = nano(channels=3, classes=3, size=16).eval()
    recognizer = Recognizer(network, "nano", {}, PREPROCESS, ("a", "b", "c"))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    found = statistics(recognizer, pictures(30)).recognizer

    after = found.network.state_dict()
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert changed == {name for name in before if name.endswith(("running_mean", "running_var"))}
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not found.network.training
    assert not any(module._forward_pre_hooks for module in found.network.modules())


def test_old_pictures_that_count_for_very_many_leave_it_as_it_was(small: Recognizer) -> None:
    found = statistics(small, pictures(30), prior=1e9).recognizer
    images = pictures(10, seed=1).images
    np.testing.assert_allclose(found.logits(images), small.logits(images), atol=1e-5)


def test_the_same_pictures_and_seed_give_the_same_bits(small: Recognizer) -> None:
    states = [statistics(small, pictures(300)).recognizer.network.state_dict() for _ in range(2)]
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


def test_what_cannot_adapt_is_refused_with_what_else_to_do(small: Recognizer) -> None:
    def refusal(**changed: object) -> UsageError:
        with pytest.raises(UsageError) as caught:
            check_adaptable(Recognizer(**{**vars(small), **changed}))
        return caught.value

    check_adaptable(small)
    plain = refusal(network=nn.Sequential(nn.Flatten(), nn.LayerNorm(768), nn.Linear(768, 3)))
    assert plain.code == "no_batch_norm"
    assert "foveal train FEW --from RUN" in str(plain.hint)
    assert refusal(network=nn.BatchNorm2d(3, track_running_stats=False)).code == "no_batch_norm"
    assert refusal(classes=()).code == "no_classes"
    assert refusal(preprocess=PREPROCESS.model_copy(update={"clip": Clip(frames=4)})).code == "other_task"


def test_a_method_or_setting_that_is_not_there_is_refused() -> None:
    assert adapting.settings_of("entropy", {"epochs": 2}) == {"prior": 16, "epochs": 2, "rate": 1e-3}
    with pytest.raises(UnknownNameError, match="statistics"):
        adapting.settings_of("statistic", {})
    with pytest.raises(RecipeError, match="statistics has no setting 'epochs'"):
        adapting.settings_of("statistics", {"epochs": 2})
