"""How the parameters of networks that say where something is are moved."""

from typing import Any

from torch import nn

from foveal.models._features import DENSE
from foveal.train import optimizer
from foveal.train.plan import Plan

_ANSWER_RATE = 6e-3  # of Adam for the layers that answer, whatever moves the rest
# Of their biases. A class may come to be what has no feature above 0: then its bias alone can say so, and
# from a prior of 1 in 100 that is a long way, which slow biases did not get along in a short run.
_BIAS_RATE = 3e-2
_OLD = 0.2  # rate of weights that were learned before, as a share of that of new ones


def _parted(group: dict[str, Any], backbone: nn.Module) -> list[dict[str, Any]]:
    """Return a group in two: what has weights already moves more slowly than what is new."""
    known = {id(parameter) for parameter in backbone.parameters()}
    old = [parameter for parameter in group["params"] if id(parameter) in known]
    new = [parameter for parameter in group["params"] if id(parameter) not in known]
    parts = [{**group, "params": old, "rate": group["rate"] * _OLD}, {**group, "params": new}]
    return [part for part in parts if part["params"]]


def body_groups(network: Any, plan: Plan) -> list[dict[str, Any]]:
    """Return all parameters that learn as a plan wants them moved, what has weights already more slowly."""
    body = optimizer.parameter_groups(
        network, weight_decay=plan.weight_decay, optimizer=plan.optimizer, head_rate=plan.head_rate
    )
    if plan.starts_from is None and plan.arguments.get("backbone", DENSE) == DENSE:
        return body
    return [part for group in body for part in _parted(group, getattr(network, "backbone", nn.Identity()))]


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
    body = body_groups(network, plan)
    for parameter in answering:
        parameter.requires_grad_(True)
    weights, biases = [p for p in answering if p.ndim > 1], [p for p in answering if p.ndim == 1]
    return [
        *body,
        {"params": weights, "kind": "adam", "momentum": 0.9, "rate": _ANSWER_RATE / plan.learning_rate},
        {"params": biases, "kind": "adam", "momentum": 0.9, "rate": _BIAS_RATE / plan.learning_rate},
    ]
