"""explain.white_box.attention: rollout by its definition, on a transformer that answers as before."""

import numpy as np
import pytest
import torch

from foveal.core.errors import UsageError
from foveal.explain.white_box.attention import attention, attention_weights, has_attention, rollout


def test_rows_of_a_rollout_sum_to_1_and_nothing_is_negative(transformer, noise):
    flow = rollout(attention_weights(transformer, noise()))

    assert flow.shape == (17, 17)
    assert (flow >= 0).all()
    np.testing.assert_allclose(flow.sum(axis=1), 1, rtol=1e-6)


def test_one_block_counts_half_and_the_picture_itself_half():
    block = np.array([[[0.2, 0.8], [0.6, 0.4]], [[0.4, 0.6], [0.2, 0.8]]], np.float32)

    np.testing.assert_allclose(rollout([block]), [[0.65, 0.35], [0.2, 0.8]], rtol=1e-6)


def test_later_blocks_gather_from_what_earlier_ones_gathered():
    to_second, to_third = np.zeros((1, 3, 3), np.float32), np.zeros((1, 3, 3), np.float32)
    to_second[0, :, 1], to_third[0, :, 2] = 1, 1

    flow = rollout([to_third, to_second])

    # Half of token 0 is its own, half comes from token 1, which had taken half of its content from token 2.
    np.testing.assert_allclose(flow[0], [0.25, 0.25, 0.5])


def test_the_weights_are_those_of_the_blocks(transformer, noise):
    weights = attention_weights(transformer, noise())

    assert [w.shape for w in weights] == [(2, 17, 17)] * 2
    np.testing.assert_allclose(np.stack(weights).sum(axis=-1), 1, rtol=1e-5)


def test_the_map_is_the_row_of_the_class_token_and_the_same_for_every_class(transformer, noise):
    found = attention(transformer, noise(), 0)

    assert (found.dtype, found.shape) == (np.float32, (4, 4))
    expected = rollout(attention_weights(transformer, noise()))[0, 1:].reshape(4, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert np.array_equal(found, attention(transformer, noise(), 2))


def test_being_asked_changes_no_answer(transformer, noise):
    before = transformer.logits(noise()[None])

    attention(transformer, noise(), 0)

    np.testing.assert_array_equal(transformer.logits(noise()[None]), before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in transformer.network.modules())


def test_a_network_without_attention_is_refused(nano, noise):
    assert not has_attention(nano.network)
    with pytest.raises(UsageError, match="nano has no attention to show"):
        attention(nano, noise(), 0)


def test_tokens_that_are_no_square_are_refused(transformer, noise):
    class Odd(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = torch.nn.MultiheadAttention(4, 1, batch_first=True)

        def forward(self, images):
            tokens = images.flatten(1)[:, :24].reshape(len(images), 6, 4)
            return self.mix(tokens, tokens, tokens, need_weights=False)[0].mean(dim=1)

    from dataclasses import replace

    with pytest.raises(UsageError, match="6 tokens are no square of patches"):
        attention(replace(transformer, network=Odd()), noise(), 0)
