"""How the parameters of networks that say where something is are moved."""

from typing import Any

from torch import nn

from foveal.train import optimizer
from foveal.train.plan import Plan

import os
_ANSWER_RATE = float(os.environ.get("AR","2e-3"))  # of Adam for the layers that answer, whatever moves the rest


def groups(network: Any, plan: Plan) -> list[dict[str, Any]]:
    """Return the body's parameters as a plan wants them moved, and the layers that answer by Adam.

    Their rows are classes and sides, not directions: orthogonalized steps would keep them apart, and the bias
    of a class is a probability.

    Args:
        network: Names its layers that answer as `outputs`.
        plan: Gives optimizer and rates.
    """
    layers: tuple[nn.Module, ...] = network.outputs
    answering = [parameter for layer in layers for parameter in layer.parameters()]
    for parameter in answering:
        parameter.requires_grad_(False)
    body = optimizer.parameter_groups(
        network, weight_decay=plan.weight_decay, optimizer=plan.optimizer, head_rate=plan.head_rate
    )
    for parameter in answering:
        parameter.requires_grad_(True)
    rate = 1.0 if plan.optimizer == "adam" else _ANSWER_RATE / plan.learning_rate
    return [*body, {"params": answering, "kind": "adam", "momentum": 0.9, "rate": rate}]
