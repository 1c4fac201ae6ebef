"""steps.sparsify: the right weights become zero, the rest stays, and bytes are told as measured."""

import zlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from foveal.core.errors import UsageError
from foveal.optimize.steps.sparsify import apply, sparsify
from foveal.tasks.recognizer import weights_bytes


def layers(network):
    return [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


@settings(max_examples=10)
@given(share=st.floats(0, 0.99))
def test_the_smallest_of_the_whole_network_go_and_the_rest_stays(nano, share):
    before = torch.cat([w.detach().flatten() for w in layers(nano.network)])

    sparse = sparsify(nano, share=share)

    after = torch.cat([w.detach().flatten() for w in layers(sparse.recognizer.network)])
    gone = after == 0
    assert gone.sum() == round(share * len(before))
    assert sparse.zeros == pytest.approx(float(gone.float().mean()))
    assert torch.equal(after[~gone], before[~gone])
    if gone.any():
        assert before[gone].abs().max() <= before[~gone].abs().min()


@pytest.mark.parametrize(("kept", "of"), [(2, 4), (1, 4), (4, 8), (4, 4)])
def test_of_each_row_of_m_inputs_the_n_largest_stay(nano, kept, of):
    sparse = sparsify(nano, pattern=(kept, of))

    checked = 0
    for before, after in zip(layers(nano.network), layers(sparse.recognizer.network), strict=True):
        if before.shape[1] % of:
            assert torch.equal(before, after)
            continue
        old, new = (w.detach().movedim(1, -1).reshape(-1, of) for w in (before, after))
        assert ((new != 0).sum(1) == kept).all()
        best = old.abs().sort(dim=1, descending=True).values[:, :kept].sum(1)
        torch.testing.assert_close(new.abs().sum(1), best)
        checked += 1
    assert checked >= 4


def test_bytes_are_those_of_the_compressed_file_and_more_zeros_are_fewer(nano):
    sizes = [sparsify(nano, share=share) for share in (0.0, 0.3, 0.6, 0.9)]

    assert [s.bytes_after for s in sizes] == sorted((s.bytes_after for s in sizes), reverse=True)
    assert sizes[0].bytes_after == sizes[0].bytes_before == len(zlib.compress(weights_bytes(nano), 9))
    assert sizes[3].bytes_after < 0.4 * sizes[3].bytes_before


def test_training_with_the_masks_keeps_the_zeros(nano):
    sparse = sparsify(nano, share=0.5)
    network = sparse.recognizer.network
    optimizer = torch.optim.SGD([w for w in network.parameters() if w.requires_grad], lr=1e-5, momentum=0.9)
    for _ in range(3):
        network(torch.randn(4, 3, 16, 16)).square().sum().backward()
        optimizer.step()
        apply(network, sparse.masks)

    weights = dict(network.named_parameters())
    assert all((weights[name][~mask] == 0).all() for name, mask in sparse.masks.items())
    assert any(
        (weights[n] != dict(nano.network.named_parameters())[n])[m].any() for n, m in sparse.masks.items()
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"share": 0.5, "pattern": (2, 4)},
        {"share": 1.0},
        {"share": -0.1},
        {"pattern": (0, 4)},
        {"pattern": (5, 4)},
    ],
)
def test_what_makes_no_sense_is_refused(nano, wrong):
    with pytest.raises(UsageError):
        sparsify(nano, **wrong)


def test_what_was_given_is_left_alone(nano):
    before = weights_bytes(nano)

    sparsify(nano, share=0.7)

    assert weights_bytes(nano) == before
