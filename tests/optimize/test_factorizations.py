"""optimize/factorizations: exact at full rank, worse with every rank less, nearest where theory says so."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from foveal.core import catalog
from foveal.optimize import factorizations
from foveal.optimize.factorizations._factorization import composed, convolutions, parameters, work

KINDS = catalog.names(factorizations)
BY_SVD = ["svd", "spatial", "tucker"]


def layer(seed=0, **changes):
    torch.manual_seed(seed)
    settings = {"kernel_size": (3, 5), "stride": (2, 1), "padding": (1, 3), "dilation": (1, 2), **changes}
    return nn.Conv2d(6, 8, **settings).double()


def factored(conv, kind, ranks, metric=None):
    way = catalog.find(factorizations, kind)
    parts = way.parts(tuple(conv.weight.shape), ranks)
    return convolutions(conv, parts, way.factors(conv.weight.detach(), ranks, metric))


def moments(size, seed=0):
    """Return second moments with a few strong directions, and rows that have them."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(400, size)) @ (
        rng.normal(size=(size, size)) * np.geomspace(1, 0.01, size)[:, None]
    )
    rows = torch.from_numpy(rows)
    return rows.T @ rows / len(rows), rows


def metric_for(kind, conv):
    whole = catalog.find(factorizations, kind).metric == "patches"
    return moments(conv.weight[0].numel() if whole else conv.in_channels)[0]


def distance(conv, layers):
    return float((conv.weight.detach() - composed(layers)).square().sum())


@pytest.mark.parametrize("kind", BY_SVD)
@pytest.mark.parametrize("weighed", [False, True])
def test_full_rank_is_the_layer_itself(kind, weighed):
    conv = layer()
    ranks = catalog.find(factorizations, kind).most(tuple(conv.weight.shape))
    images = torch.randn(2, 6, 17, 19, dtype=torch.float64)

    made = factored(conv, kind, ranks, metric_for(kind, conv) if weighed else None)

    torch.testing.assert_close(made(images), conv(images), rtol=1e-8, atol=1e-8)
    assert {type(part) for part in made} == {nn.Conv2d}


@pytest.mark.parametrize("kind", BY_SVD)
def test_the_error_falls_with_the_rank(kind):
    conv = layer(kernel_size=3, padding=1, dilation=1)
    most = catalog.find(factorizations, kind).most(tuple(conv.weight.shape))

    errors = [
        distance(conv, factored(conv, kind, tuple(max(1, m * part // 8) for m in most)))
        for part in range(1, 9)
    ]

    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.1 > 1e-12 > errors[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_factors_amount_to_the_layers_they_make(kind):
    """`composed` is what all errors are told by: it must be what the layers do."""
    conv = layer(stride=(1, 1), dilation=(1, 1))
    made = factored(conv, kind, (3, 4)[: len(catalog.find(factorizations, kind).most((8, 6, 3, 5)))])
    images = torch.randn(2, 6, 12, 12, dtype=torch.float64)

    one = nn.functional.conv2d(images, composed(made), conv.bias, padding=conv.padding)

    torch.testing.assert_close(made(images), one, rtol=1e-8, atol=1e-8)


@given(rank=st.integers(1, 8), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_svd_is_torchs_truncation(rank, seed):
    conv = layer(seed)
    left, values, right = torch.linalg.svd(conv.weight.detach().flatten(1), full_matrices=False)
    truncated = (left[:, :rank] * values[:rank]) @ right[:rank]

    torch.testing.assert_close(composed(factored(conv, "svd", (rank,))).flatten(1), truncated)


@given(rank=st.integers(1, 7), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_in_the_metric_of_inputs_the_output_error_is_the_smallest(rank, seed):
    conv = layer(seed)
    metric, rows = moments(conv.weight[0].numel(), seed)
    weight = conv.weight.detach().flatten(1)

    def output_error(layers):
        return float((rows @ (weight - composed(layers).flatten(1)).T).square().sum())

    plain, aware = (output_error(factored(conv, "svd", (rank,), m)) for m in (None, metric))

    assert aware <= plain * (1 + 1e-9)
    values = torch.linalg.svdvals(rows @ weight.T)  # Eckart & Young: nothing of that rank is nearer
    assert aware == pytest.approx(float(values[rank:].square().sum()), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("kind", ["spatial", "tucker", "cp"])
def test_the_metric_of_channels_lowers_the_error_it_measures(kind):
    conv = layer(kernel_size=3, padding=1, dilation=1)
    metric = metric_for(kind, conv)
    ranks = (3, 2)[: len(catalog.find(factorizations, kind).most(tuple(conv.weight.shape)))]

    def seen(layers):
        lost = (conv.weight.detach() - composed(layers)).permute(0, 2, 3, 1).flatten(0, 2)
        return float(((lost @ metric) * lost).sum())

    assert seen(factored(conv, kind, ranks, metric)) < seen(factored(conv, kind, ranks))


def test_tucker_is_better_than_cutting_both_sides_at_once():
    """Higher-order orthogonal iteration starts there and only improves."""
    conv = layer(kernel_size=3, padding=1)
    weight = conv.weight.detach()
    up = torch.linalg.svd(weight.flatten(1))[0][:, :3]
    down = torch.linalg.svd(weight.transpose(0, 1).flatten(1))[0][:, :2]
    cut = torch.einsum("oihw,oa,ib,pa,jb->pjhw", weight, up, down, up, down)

    better = distance(conv, factored(conv, "tucker", (3, 2)))

    assert better < float((weight - cut).square().sum())


def test_cp_finds_the_terms_that_are_there():
    conv = layer(kernel_size=3, padding=1)
    rng = torch.Generator().manual_seed(1)
    vectors = [torch.randn(n, 3, generator=rng, dtype=torch.float64) for n in (8, 6, 3, 3)]
    with torch.no_grad():
        conv.weight.copy_(torch.einsum("or,ir,hr,wr->oihw", *vectors))

    made = factored(conv, "cp", (3,))

    assert distance(conv, made) < 1e-6 * float(conv.weight.detach().square().sum())


def test_cp_does_not_let_terms_grow_against_each_other():
    """a⊗a⊗b + a⊗b⊗a + b⊗a⊗a is the limit of sums of two products whose terms grow without bound."""
    a, b = torch.eye(3, dtype=torch.float64)[:2]
    terms = [(a, a, b), (a, b, a), (b, a, a)]
    weight = sum(
        torch.einsum("o,i,h,w->oihw", x, y, z, torch.ones(1, dtype=torch.float64)) for x, y, z in terms
    )

    factors = catalog.find(factorizations, "cp").factors(weight, (2,), None)

    into, column, row, out = (f.flatten(1) for f in factors)
    lengths = torch.stack([into.norm(dim=1), column.norm(dim=1), row.norm(dim=1), out.norm(dim=0)])
    assert float(lengths.prod(0).square().sum()) <= 5 * float(weight.square().sum())
    made = torch.einsum("or,ri,rh,rw->oihw", out, into, column, row)
    assert float((weight - made).square().sum()) < 0.01 * float(weight.square().sum())


@pytest.mark.parametrize("kind", KINDS)
def test_work_and_parameters_are_those_of_the_layers(kind):
    conv = layer(kernel_size=3, stride=2, padding=1, dilation=1)
    way = catalog.find(factorizations, kind)
    ranks = (3, 2)[: len(way.most(tuple(conv.weight.shape)))]
    parts = way.parts(tuple(conv.weight.shape), ranks)
    made = factored(conv, kind, ranks)
    images, counted = torch.randn(1, 6, 32, 32, dtype=torch.float64), 0
    for part in made:
        images = part(images)
        counted += images[0, 0].numel() * part.weight.numel()

    assert parameters(parts) == sum(part.weight.numel() for part in made)
    assert work(parts, (2, 2)) == counted / images[0, 0].numel()
