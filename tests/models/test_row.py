"""models.row: time runs down the picture, the last state answers, nothing is carried over."""

import numpy as np
import pytest
import torch
from torch import nn

from foveal.models._cost import cost, macs
from foveal.models.row import MEMBERS, row

SIZE = 12


def made(size=SIZE, channels=2, hidden=5, **arguments):
    torch.manual_seed(0)
    return row(channels=channels, classes=3, size=size, hidden=hidden, **arguments).eval()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(reader, rows):
    """Return the last hidden state of one direction over (T, D), from the papers' equations in numpy."""
    inward, onward, bias_in, bias_on = (
        p.detach().double().numpy()
        for p in (reader.weight_ih_l0, reader.weight_hh_l0, reader.bias_ih_l0, reader.bias_hh_l0)
    )
    hidden = cell = np.zeros(reader.hidden_size)
    for x in rows:
        a, b = inward @ x + bias_in, onward @ hidden + bias_on
        if isinstance(reader, nn.LSTM):
            enter, forget, new, out = np.split(a + b, 4)
            cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
            hidden = sigmoid(out) * np.tanh(cell)
        else:
            (reset, keep, new), (reset_on, keep_on, new_on) = np.split(a, 3), np.split(b, 3)
            keep = sigmoid(keep + keep_on)
            hidden = (1 - keep) * np.tanh(new + sigmoid(reset + reset_on) * new_on) + keep * hidden
    return hidden


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_answer_is_that_of_the_cell_by_hand_fed_row_after_row(cell):
    network = made(cell=cell)
    images = torch.randn(4, 2, SIZE, SIZE)

    with torch.no_grad():
        logits = network(images).numpy()

    for image, answer in zip(images.double().numpy(), logits, strict=True):
        rows = [image[:, t, :].ravel() for t in range(SIZE)]  # all columns of every channel
        expected = network.head.weight.detach().double().numpy() @ by_hand(network.down, rows)
        np.testing.assert_allclose(answer, expected + network.head.bias.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("name", MEMBERS)
def test_two_identical_calls_give_identical_answers_whatever_was_asked_between(name):
    network = made(**MEMBERS[name])
    images = torch.randn(3, 2, SIZE, SIZE)

    with torch.no_grad():
        first = network(images)
        network(100 * torch.randn(3, 2, SIZE, SIZE))

        assert torch.equal(network(images), first)


@pytest.mark.parametrize("name", MEMBERS)
def test_an_answer_does_not_change_with_the_rest_of_the_batch(name):
    network = made(**MEMBERS[name])
    images = torch.randn(5, 2, SIZE, SIZE)
    others = torch.cat([images[:1], 10 * torch.randn(4, 2, SIZE, SIZE)])

    with torch.no_grad():
        torch.testing.assert_close(network(others)[0], network(images)[0], atol=1e-6, rtol=1e-5)


def test_a_step_reads_one_row_and_the_axes_are_images_steps_features():
    network = made(cell="gru")
    images = torch.arange(2 * 2 * SIZE * SIZE, dtype=torch.float32).view(2, 2, SIZE, SIZE)

    rows = network.rows(images)

    assert rows.shape == (2, SIZE, 2 * SIZE)
    assert torch.equal(rows[1, 3], images[1, :, 3, :].flatten())


@pytest.mark.parametrize(
    ("size", "steps", "band"), [(28, 28, 1), (45, 45, 1), (46, 23, 2), (100, 25, 4), (225, 29, 8)]
)
def test_wide_pictures_are_read_in_bands_and_no_pixel_is_lost(size, steps, band):
    network = made(size=size, cell="gru")
    images = torch.randn(1, 2, size, size)

    rows = network.rows(images)

    assert rows.shape == (1, steps, band * 2 * size)
    assert sorted(rows[rows != 0].tolist()) == sorted(images.flatten().tolist())


def test_a_reader_of_rows_is_not_one_of_columns_but_one_of_both_can_be_turned():
    images = torch.randn(3, 2, SIZE, SIZE)
    rows, both = made(cell="gru"), made(cell="gru", both=True)
    turned = made(cell="gru", both=True)
    turned.down, turned.across = both.across, both.down
    half = both.head.in_features // 2
    with torch.no_grad():
        turned.head.weight.copy_(both.head.weight.roll(half, 1))
        turned.head.bias.copy_(both.head.bias)

        assert (rows(images) - rows(images.mT)).abs().max() > 0.01
        torch.testing.assert_close(turned(images.mT), both(images))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_what_it_learns_needs_all_rows_and_the_last_alone_is_near_chance(cell):
    """Two classes differ in the order of two bright rows; the last row is noise for all."""
    torch.manual_seed(1)
    labels = torch.arange(256) % 2
    images = 0.1 * torch.randn(256, 1, 8, 8)
    for image, label in zip(images, labels, strict=True):
        image[0, 1], image[0, 4] = (1.0, -1.0) if label else (-1.0, 1.0)
    network = row(channels=1, classes=2, size=8, cell=cell, hidden=16)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    last = torch.zeros_like(images)
    last[:, :, -1] = images[:, :, -1]

    with torch.no_grad():
        whole = (network(images).argmax(1) == labels).float().mean()
        alone = (network(last).argmax(1) == labels).float().mean()

    assert whole == 1
    assert 0.4 < alone < 0.6


@pytest.mark.parametrize("name", MEMBERS)
def test_its_cost_is_that_of_every_gate_at_every_step(name):
    both, gates = "both" in name, 4 if "lstm" in name else 3
    network = row(channels=3, classes=10, size=32, **MEMBERS[name]).eval()
    hidden = network.down.hidden_size

    by_formula = (4 if both else 1) * (32 * gates * hidden * (3 * 32 + hidden) + 10 * hidden)

    assert cost(name, size=32).macs == by_formula
    assert macs(network, torch.zeros(1, 3, 32, 32)) == by_formula
