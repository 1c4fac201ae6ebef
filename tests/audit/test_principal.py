"""audit._principal: the same as a singular value decomposition, whichever side is longer."""

import numpy as np
import pytest

from foveal.audit._principal import principal


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (12, 12)])
def test_projections_are_those_of_a_singular_value_decomposition(shape):
    features = np.random.default_rng(0).normal(3, 2, size=shape).astype(np.float32)
    left, values, _ = np.linalg.svd(features - features.astype(float).mean(axis=0), full_matrices=False)

    found = principal(features, most=4)

    assert np.abs(found) == pytest.approx(np.abs(left * values)[:, :4], abs=1e-5)
