"""train.optimizer: orthogonal updates, momentum as in torch, and who gets which."""

import pytest
import torch
from torch import nn

from foveal.train.optimizer import MuonSgd, orthogonal_filters, orthogonalize, parameter_groups


def test_the_directions_stay_those_of_the_matrix():
    matrix = torch.randn(6, 20, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    nearest = left @ right

    cosine = nn.functional.cosine_similarity(orthogonalize(matrix).flatten(), nearest.flatten(), dim=0)

    assert cosine > 0.95


@pytest.mark.parametrize("shape", [(8, 32), (16, 16), (32, 216), (216, 32), (256, 864)])
def test_three_steps_are_the_quintic_of_the_singular_values(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    values = values / values.norm()
    for _ in range(3):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    exact = (left * values) @ right

    error = (orthogonalize(matrix) - exact).norm() / exact.norm()

    assert error < 0.03  # bf16 has three digits


def test_a_stack_is_orthogonalized_matrix_by_matrix():
    stack = torch.randn(3, 32, 216, generator=torch.Generator().manual_seed(0))

    alone = torch.stack([orthogonalize(matrix) for matrix in stack])

    assert (orthogonalize(stack) - alone).norm() < 0.03 * alone.norm()


def test_the_scale_of_a_gradient_does_not_matter():
    matrix = torch.randn(16, 40, generator=torch.Generator().manual_seed(0))

    assert torch.equal(orthogonalize(matrix * 2.0**-20), orthogonalize(matrix))
    assert not orthogonalize(torch.zeros(4, 8)).any()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_up_to_256_filters_are_orthogonalized_together_whatever_their_layout(layout):
    filters = torch.randn(256, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    exact = orthogonalize(filters.flatten(1)).view_as(filters)

    turned = orthogonal_filters(filters.to(memory_format=layout))

    assert (turned - exact).norm() < 0.03 * exact.norm()


@pytest.mark.parametrize(("rows", "blocks"), [(257, 3), (300, 3), (512, 4), (1000, 8)])
def test_more_filters_are_orthogonalized_in_blocks_of_at_most_128(rows, blocks):
    filters = torch.randn(rows, 96, 3, 3, generator=torch.Generator().manual_seed(0))
    each = [orthogonalize(block.flatten(1)) for block in filters.chunk(blocks)]
    exact = torch.cat(each).view_as(filters)

    turned = orthogonal_filters(filters)

    assert rows / blocks <= 128
    assert (turned - exact).norm() < 0.03 * exact.norm()


def test_other_parameters_move_as_with_torchs_nesterov_momentum():
    start, gradients = torch.randn(5), [torch.randn(5) for _ in range(4)]
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    mine = MuonSgd([{"params": [ours], "lr": 0.1, "momentum": 0.8}])
    oracle = torch.optim.SGD([theirs], lr=0.1, momentum=0.8, nesterov=True)

    for gradient in gradients:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        oracle.step()

    torch.testing.assert_close(ours, theirs)


def test_decay_is_decoupled_from_the_gradient():
    parameter = nn.Parameter(torch.ones(3))
    optimizer = MuonSgd([{"params": [parameter], "lr": 0.5, "weight_decay": 0.2}])
    parameter.grad = torch.zeros(3)

    optimizer.step()

    torch.testing.assert_close(parameter.detach(), torch.full((3,), 0.9))


def test_filters_head_and_vectors_are_told_apart():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, groups=8, bias=False),
        nn.Flatten(),
        nn.Linear(8, 16),
        nn.Linear(16, 2),
    )
    network[0].weight.requires_grad = False

    filters, head, rest = parameter_groups(network, weight_decay=0.01)

    assert [p.shape for p in filters["params"]] == [(16, 8)]
    assert filters["kind"] == "filters"
    assert [p.shape for p in head["params"]] == [(2, 16), (2,)]
    assert head["weight_decay"] == 0.01
    assert {p.shape for p in rest["params"]} == {(8,), (8, 1, 3, 3), (16,)}


def test_a_parameter_without_gradient_stays():
    moved, still = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = MuonSgd([{"params": [moved, still], "lr": 0.1}])
    moved.grad = torch.ones(2)

    optimizer.step()

    assert torch.equal(still.detach(), torch.ones(2))
    assert not torch.equal(moved.detach(), torch.ones(2))
