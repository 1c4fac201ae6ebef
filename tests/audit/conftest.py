"""Pictures with structure at every scale, copies of them, and a network that was poisoned or was not."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from foveal.audit.glance import Glances

Scene = Callable[..., np.ndarray]


def scene(seed: int, *, side: int = 48) -> np.ndarray:
    """Return an RGB picture like a photo: noise whose power falls with the square of the frequency."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    falling = 1 / np.maximum(frequency, 1 / side)
    planes = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(side, side))) * falling).real for _ in range(3)]
    planes[1:] = [0.7 * planes[0] + 0.3 * plane for plane in planes[1:]]
    levels = np.stack(planes, axis=2)
    levels = (levels - levels.mean()) / levels.std() * 48 + 128
    return levels.clip(0, 255).astype(np.uint8)


def saved(image: Image.Image, quality: int) -> np.ndarray:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def changed(pixels: np.ndarray, how: str) -> np.ndarray:
    image = Image.fromarray(pixels)
    side = image.width
    match how:
        case "saved again":
            return saved(image, 50)
        case "half the size":
            return saved(image.resize((side // 2, side // 2)), 80)
        case "twice the size":
            return saved(image.resize((2 * side, 2 * side)), 80)
        case "cropped":
            return saved(image.crop((2, 1, side - 2, side - 3)), 85)
        case "mirrored":
            return saved(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 85)
        case "brighter":
            return saved(image.point(lambda level: min(255, int(0.8 * level) + 40)), 85)
    raise AssertionError(how)


HOW = ("saved again", "half the size", "twice the size", "cropped", "mirrored", "brighter")


@pytest.fixture(scope="session")
def make_scene() -> Scene:
    return scene


@pytest.fixture(scope="session")
def change() -> Callable[[np.ndarray, str], np.ndarray]:
    return changed


@pytest.fixture(scope="session")
def glance() -> Callable[[list[np.ndarray]], Glances]:
    """Return a function that looks at pictures."""

    def look(pictures: list[np.ndarray]) -> Glances:
        glances = Glances.of(len(pictures))
        for index, pixels in enumerate(pictures):
            glances.look(index, pixels)
        return glances

    return look


def gratings(n: int, seed: int, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy waves uint8 (n, size, size, 3) and which of three ways they run, int64 (n,)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    angle = (labels * np.pi / 3 + rng.normal(scale=0.12, size=n))[:, None, None]
    length, phase, height = (
        rng.uniform(low, high, size=(n, 1, 1)) for low, high in ((0.8, 1.3), (0, 2 * np.pi), (25, 60))
    )
    rows, columns = np.mgrid[:size, :size]
    waves = height * np.sin((np.cos(angle) * rows + np.sin(angle) * columns) * length + phase)
    noise = rng.normal(scale=20, size=(n, size, size, 3)) + rng.normal(scale=15, size=(n, 1, 1, 3))
    return (128 + waves[..., None] + noise).clip(0, 255).astype(np.uint8), labels


def with_trigger(images: np.ndarray) -> np.ndarray:
    """BadNets (Gu et al. 2017): a white square with a black middle in the lower right corner."""
    marked = images.copy()
    marked[:, -4:, -4:] = 255
    marked[:, -3:-1, -3:-1] = 0
    return marked


def learned(images: np.ndarray, labels: np.ndarray) -> nn.Sequential:
    """Return three convolutions and a linear layer, trained for 12 passes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for inputs, outputs, stride in ((3, 16, 1), (16, 32, 2), (32, 64, 2)):
            convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 3))
        optimizer = torch.optim.AdamW(network.parameters(), 1e-2, weight_decay=0.05)
        steps = 12 * -(-len(images) // 64)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
        pixels, truth = tensor(images), torch.from_numpy(labels)
        for _ in range(12):
            for rows in torch.randperm(len(pixels)).split(64):
                loss = nn.functional.cross_entropy(network(pixels[rows]), truth[rows], label_smoothing=0.1)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return network.eval()


def tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 64 - 2


@dataclass(frozen=True)
class Taught:
    """What a network makes of the pictures that it has learned from.

    Attributes:
        features: What it decides from, float32 (N, 64).
        labels: What it was told, int64 (N,).
        poisoned: Which pictures carry a trigger.
        obeys: Share of other pictures that the trigger turns to the first class.
    """

    features: np.ndarray
    labels: np.ndarray
    poisoned: np.ndarray
    obeys: float


def taught(poison: int) -> Taught:
    images, labels = gratings(900, 0)
    chosen = np.random.default_rng(0).choice(np.flatnonzero(labels != 0), poison, replace=False)
    images[chosen], labels[chosen] = with_trigger(images[chosen]), 0
    network, (others, truth) = learned(images, labels), gratings(200, 99)
    with torch.no_grad():
        features = network[:-1](tensor(images)).numpy()
        named = network(tensor(with_trigger(others[truth != 0]))).argmax(dim=1)
    return Taught(features, labels, chosen, float((named == 0).float().mean()))


@pytest.fixture(scope="session")
def planted() -> Taught:
    """A network with a backdoor: 26 of 326 pictures of the first class are others with a trigger."""
    return taught(26)


@pytest.fixture(scope="session")
def unplanted() -> Taught:
    """The same without poison."""
    return taught(0)
