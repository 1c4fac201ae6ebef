"""The teacher's order of preference, not its exact shares: easier for a much smaller student."""

from torch import Tensor

_TINY = 1e-8


def dist(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """Return T² · (2 - mean correlation of rows - mean correlation of columns) of the softened class shares.

    A row is what one image is taken for, a column which images are taken for one class. Source: Huang et al.,
    "Knowledge Distillation from A Stronger Teacher", 2022, eq. 7–11, with β = γ = 1.

    Args:
        student: (N, K), N ≥ 2, K ≥ 2.
        teacher: (N, K).
        temperature: T above 0.
    """
    own = (student.float() / temperature).softmax(dim=1)
    wanted = (teacher.float() / temperature).softmax(dim=1)
    return temperature**2 * (2.0 - _correlation(own, wanted) - _correlation(own.T, wanted.T))


def _correlation(left: Tensor, right: Tensor) -> Tensor:
    """Return the mean over the rows of Pearson's correlation."""
    left, right = (part - part.mean(dim=1, keepdim=True) for part in (left, right))
    norms = left.norm(dim=1) * right.norm(dim=1)
    found: Tensor = ((left * right).sum(dim=1) / (norms + _TINY)).mean()
    return found
