"""models._pooling: what the pool keeps and what it forgets."""

import torch

from foveal.models._pooling import SignedRootMeanSquare

pool = SignedRootMeanSquare()


def test_a_constant_map_is_itself_on_the_side_of_its_sign():
    maps = torch.tensor([3.0, -2.0, 0.0])[None, :, None, None].expand(1, 3, 4, 5)

    torch.testing.assert_close(pool(maps).flatten(), torch.tensor([3.0, 0, 0, 0, 2, 0]), atol=1.1e-3, rtol=0)


def test_strong_answers_count_more_than_in_a_mean_and_where_they_are_does_not():
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 6, 6)
    places = torch.randperm(36)

    found = pool(maps)

    assert found.shape == (2, 6, 1, 1)
    torch.testing.assert_close(pool(maps.flatten(2)[:, :, places].view_as(maps)), found)
    squares = (found[:, :3] ** 2 + found[:, 3:] ** 2).flatten(1)
    torch.testing.assert_close(squares, maps.square().mean(dim=(2, 3)), atol=1e-5, rtol=1e-5)
    peak = torch.zeros(1, 1, 10, 10)
    peak[..., 0, 0] = 1.0
    assert float(pool(peak)[0, 0]) > 9 * float(peak.mean())


def test_there_is_a_gradient_where_nothing_answers():
    maps = torch.zeros(1, 2, 3, 3, requires_grad=True)

    pool(maps).sum().backward()

    assert maps.grad.isfinite().all()
