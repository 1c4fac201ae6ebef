"""models.defects.memory and gaussian: what is unlike good pictures is far from them, and where."""

import pytest
import torch

from foveal import models
from foveal.core.errors import UsageError

NAMES = ("memory", "gaussian")
SIDE = 64


def parts(
    count: int, *, seed: int, spot: tuple[int, int] | None = None, light: float | None = None
) -> torch.Tensor:
    """Return striped grey parts under any light, (N, 1, 64, 64), some with a dark spot of 12 pixels."""
    rng = torch.Generator().manual_seed(seed)
    stripes = torch.sin(torch.arange(SIDE) / 3)[None, None, None, :].expand(count, 1, SIDE, SIDE)
    lights = torch.rand((count, 1, 1, 1), generator=rng) if light is None else light
    pictures = stripes + lights + 0.05 * torch.randn(stripes.shape, generator=rng)
    if spot is not None:
        pictures[:, :, spot[0] : spot[0] + 12, spot[1] : spot[1] + 12] -= 3
    return pictures


def learned(name: str, *, seed: int = 0, **more) -> torch.nn.Module:
    torch.manual_seed(1)
    if name == "memory":
        more = {"kept": 100, **more}
    network = models.architecture(name).build(channels=1, classes=2, size=[SIDE, SIDE], step=8, **more)
    good = parts(24, seed=2).split(7)
    network.learn(lambda: iter(good), seed=seed)
    return network


@pytest.mark.parametrize("name", NAMES)
def test_a_spot_is_far_from_what_is_good_and_there(name: str) -> None:
    network = learned(name)

    with torch.no_grad():
        good, _ = network(parts(8, seed=3))
        bad, maps = network(parts(8, seed=4, spot=(40, 16)))

    assert bad.min() > good.max()
    places = maps[:, 0].flatten(1).argmax(dim=1)
    assert set(zip((places // 8).tolist(), (places % 8).tolist(), strict=True)) <= {
        (row, column) for row in (4, 5, 6) for column in (1, 2, 3, 4)
    }


@pytest.mark.parametrize("name", NAMES)
def test_light_is_no_defect(name: str) -> None:
    network = learned(name)

    with torch.no_grad():
        lights = [network(parts(8, seed=5, light=level))[0] for level in (0.05, 0.5, 0.95)]
        bad, _ = network(parts(8, seed=5, spot=(8, 32), light=0.5))

    assert bad.min() > max(some.max() for some in lights)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_remembers_the_same_and_batches_do_not_matter(name: str) -> None:
    one, two = learned(name), learned(name)
    seen = parts(4, seed=6)

    with torch.no_grad():
        together = one(seen)
        alone = one(seen[2:3])

    for key, value in one.state_dict().items():
        torch.testing.assert_close(value, two.state_dict()[key], rtol=0, atol=0)
    for whole, part in zip(together, alone, strict=True):
        torch.testing.assert_close(whole[2:3], part, rtol=1e-4, atol=1e-4)


def test_what_is_kept_is_close_to_all_that_was_seen() -> None:
    network = learned("memory", kept=200)
    rows = network.places(parts(24, seed=2)).flatten(2).transpose(1, 2).flatten(0, 1)

    nearest = torch.cdist(rows, network.bank).amin(dim=1)
    torch.testing.assert_close(network._from_bank(rows), nearest, atol=1e-3, rtol=1e-3)
    drawn = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:200]]
    assert nearest.max() < torch.cdist(rows, drawn).amin(dim=1).max()  # as a random choice does not


def test_the_mean_of_each_place_is_that_of_good_pictures() -> None:
    network = learned("gaussian")
    found = network.places(parts(24, seed=2))

    torch.testing.assert_close(network.mean, found.mean(dim=0), atol=1e-4, rtol=1e-4)
    variance = found.var(dim=0, correction=0)
    torch.testing.assert_close(network.scale, (variance + variance.mean()).rsqrt(), atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_kinds_are_not_told_apart(name: str) -> None:
    with pytest.raises(UsageError, match="good from defective"):
        models.architecture(name).build(channels=1, classes=3, size=[SIDE, SIDE])
