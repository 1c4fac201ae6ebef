"""The teacher's class shares, softened."""

import torch.nn.functional as F
from torch import Tensor


def logits(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """Return T² · KL(teacher ‖ student) of the softened class shares, in nats, mean over the images.

    The factor keeps the gradient's size whatever T is. Source: Hinton, Vinyals & Dean, "Distilling the
    Knowledge in a Neural Network", 2015, §2.

    Args:
        student: (N, K).
        teacher: (N, K).
        temperature: T above 0.
    """
    own = F.log_softmax(student.float() / temperature, dim=1)
    wanted = F.log_softmax(teacher.float() / temperature, dim=1)
    return temperature**2 * F.kl_div(own, wanted, reduction="batchmean", log_target=True)
