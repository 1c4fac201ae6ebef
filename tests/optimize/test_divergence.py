"""optimize.divergence: of probabilities and of logits alike, and as torch computes it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from foveal.optimize.divergence import between, mean_kl_of_logits

LOGITS = hnp.arrays(np.float32, (5, 4), elements=st.floats(-30, 30, width=32))


@given(LOGITS, LOGITS)
def test_logits_and_their_probabilities_diverge_alike_and_as_torch_says(p, q) -> None:
    first, second = (torch.from_numpy(one).double() for one in (p, q))
    truth = torch.nn.functional.kl_div(
        second.log_softmax(1), first.log_softmax(1), reduction="batchmean", log_target=True
    )

    found = mean_kl_of_logits(p, q)

    assert found == pytest.approx(max(0.0, float(truth)), rel=1e-9, abs=1e-12)
    shares = (one.softmax(1).float().numpy() for one in (first, second))
    assert between(*shares).mean_kl == pytest.approx(found, rel=1e-4, abs=1e-5)


@given(LOGITS, st.floats(-5, 5, width=32))
def test_the_same_decisions_do_not_diverge(logits, shift) -> None:
    assert mean_kl_of_logits(logits, logits) == 0
    assert mean_kl_of_logits(logits, (logits + np.float32(shift)).astype(np.float32)) < 1e-9
