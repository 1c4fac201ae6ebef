"""Views of pictures: which part, which colours, and that nothing is left that tells too much."""

import pytest
import torch
from tests.train.pretexts.conftest import PREPROCESS

from foveal.data.preprocess import Preprocess
from foveal.train.pretexts._views import Changes, view

PLAIN = Preprocess(size=16, channels=3, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
WHOLE = Changes(least=1.0, color=0.0, grey_share=0.0, mirror=False)


@pytest.fixture
def pictures():
    return torch.randint(
        0, 256, (64, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_whole_view_is_the_picture(pictures) -> None:
    # A window of another aspect does not fit: it is cut to the picture.
    seen = view(pictures, PLAIN, Changes(least=1.0, most=1.0, color=0, grey_share=0, mirror=False), draw())
    assert seen.shape == (64, 3, 16, 16)
    flat = pictures.permute(0, 3, 1, 2).float() / 255
    assert (seen - flat).abs().mean() < 0.2
    assert seen.is_contiguous(memory_format=torch.channels_last)


def test_views_are_normalized_as_the_network_expects(pictures) -> None:
    seen = view(pictures, PLAIN, Changes(), draw())
    same = view(pictures, PREPROCESS, Changes(), draw())
    torch.testing.assert_close(same, (seen - 0.4) / 0.25)
    assert seen.min() >= 0
    assert seen.max() <= 1


def test_half_of_them_are_mirrored() -> None:
    ramp = (
        torch.arange(16, dtype=torch.uint8).mul(16)[None, None, :, None].expand(400, 16, 16, 3).contiguous()
    )
    seen = view(ramp, PLAIN, Changes(color=0, grey_share=0), draw())
    falls = (seen[:, 0, 8, 12] < seen[:, 0, 8, 3]).float().mean()
    assert 0.4 < falls < 0.6
    assert (view(ramp, PLAIN, Changes(color=0, grey_share=0, mirror=False), draw())[:, 0, 8, 12] > 0.1).all()


def test_colours_change_so_that_a_histogram_does_not_tell(pictures) -> None:
    """Two crops of a picture share their histogram unless colours change: the shortcut of crops."""

    def agreement(changes: Changes) -> float:
        first, second = (view(pictures // 8 + base, PLAIN, changes, draw(seed)) for seed in (1, 2))
        means = [one.mean(dim=(2, 3)) - one.mean(dim=(0, 2, 3)) for one in (first, second)]
        return torch.nn.functional.cosine_similarity(*means).mean().item()

    base = torch.randint(0, 200, (64, 1, 1, 3), dtype=torch.uint8, generator=draw(3))
    assert agreement(Changes(color=0, grey_share=0)) > 0.95
    assert agreement(Changes()) < 0.8


def test_some_are_grey() -> None:
    colored = torch.tensor([200, 30, 90], dtype=torch.uint8).expand(400, 16, 16, 3).contiguous()
    seen = view(colored, PLAIN, Changes(color=0), draw())
    grey = ((seen[:, 0] - seen[:, 2]).abs().amax(dim=(1, 2)) < 1e-4).float().mean()
    assert 0.13 < grey < 0.27


def test_other_numbers_of_channels_are_changed_in_brightness_alone() -> None:
    for channels in (1, 4):
        pictures = torch.full((32, 16, 16, channels), 100, dtype=torch.uint8)
        numbers = (0.0,) * channels, (1.0,) * channels
        plain = Preprocess(size=16, channels=channels, mean=numbers[0], std=numbers[1])
        seen = view(pictures, plain, Changes(), draw())
        assert seen.shape == (32, channels, 16, 16)
        torch.testing.assert_close(seen[:, 0], seen[:, -1])
        assert seen.amax(dim=(1, 2, 3)).std() > 0.01


def test_smaller_views_show_smaller_parts_at_their_own_size(pictures) -> None:
    assert view(pictures, PLAIN, Changes(least=0.05, most=0.4), draw(), size=8).shape == (64, 3, 8, 8)


def test_the_generator_alone_decides(pictures) -> None:
    assert torch.equal(view(pictures, PLAIN, Changes(), draw(4)), view(pictures, PLAIN, Changes(), draw(4)))
    assert not torch.equal(
        view(pictures, PLAIN, Changes(), draw(4)), view(pictures, PLAIN, Changes(), draw(5))
    )
