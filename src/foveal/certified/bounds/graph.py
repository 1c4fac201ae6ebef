"""A network as a list of operations on maps, so that something else than numbers can be sent through it."""

import copy
import operator
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from foveal.core.errors import UsageError

TRACED_BATCH = 2  # pictures that the tracer sees; a reshape may name their number


@dataclass(frozen=True)
class Place:
    """Where a map lies: 0 is the picture, i + 1 what step i made."""

    index: int


@dataclass(frozen=True)
class Weight:
    """A parameter or buffer of the network, by name."""

    name: str


@dataclass(frozen=True, eq=False)
class Step:
    """One operation.

    Attributes:
        operation: Of ATen, without side effects.
        arguments: By the names of its schema, defaults filled in; `Place` and `Weight` stand for tensors.
        inputs: Places of the maps among them, in order.
        shape: Of the first map, without the batch.
    """

    operation: Any
    arguments: Mapping[str, Any]
    inputs: tuple[int, ...]
    shape: tuple[int, ...]

    def given(self, weights: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return the arguments with tensors in place of `Weight`."""
        return {
            name: weights[value.name] if isinstance(value, Weight) else value
            for name, value in self.arguments.items()
        }


@dataclass(frozen=True, eq=False)
class Graph:
    """A traced network.

    Attributes:
        steps: In order; each reads only what lies before it.
        output: Place of the logits.
        constants: Tensors that are neither parameters nor buffers, by name.
    """

    steps: tuple[Step, ...]
    output: int
    constants: Mapping[str, Tensor]

    def weights(self, network: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return all tensors that `Weight` can name, as they are now, floats in `dtype`."""
        named = {
            **dict(network.named_parameters(remove_duplicate=False)),
            **dict(network.named_buffers(remove_duplicate=False)),
            **self.constants,
        }
        return {name: t.to(dtype) if t.is_floating_point() else t for name, t in named.items()}


def traced(network: nn.Module, shape: tuple[int, ...]) -> Graph:
    """Return the operations of a network in eval mode.

    Args:
        network: Normalized images (N, C, H, W) to logits (N, K); left alone.
        shape: (C, H, W).

    Raises:
        UsageError: `no_bounds`: it has no single output, or cannot be traced.
    """
    fixed = copy.deepcopy(network).eval().float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        try:
            program = torch.export.export(fixed, (torch.zeros(TRACED_BATCH, *shape),))
        except Exception as error:  # torch raises many kinds, none of them documented
            raise UsageError(f"the network cannot be traced: {error}", code="no_bounds") from error
        program = program.run_decompositions({})  # what changes a tensor in place becomes a new tensor
    signature = program.graph_signature
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    constants = {name: value for name, value in program.constants.items() if isinstance(value, Tensor)}
    return _graph(program.graph, names, {name: value.detach() for name, value in constants.items()})


def _graph(graph: fx.Graph, names: Mapping[str, str], constants: Mapping[str, Tensor]) -> Graph:
    known: dict[fx.Node, Place | Weight] = {}
    steps: list[Step] = []
    output = -1
    for node in graph.nodes:
        if node.op == "placeholder":
            known[node] = Weight(names[node.name]) if node.name in names else Place(0)
        elif node.op == "call_function" and node.target is operator.getitem:
            known[node] = _first(node, known)
        elif node.op == "call_function":
            steps.append(_step(node, known))
            known[node] = Place(len(steps))
        elif node.op == "output":
            output = _output(node, known)
    return Graph(tuple(steps), output, constants)


def _first(node: fx.Node, known: Mapping[fx.Node, Place | Weight]) -> Place | Weight:
    """Return the first of several results; batch norm names its statistics as the others."""
    source, index = node.args
    if index != 0:
        raise UsageError(f"no bounds are known for result {index} of {source}", code="no_bounds")
    return known[source]  # type: ignore[index]  # it is a node


def _step(node: fx.Node, known: Mapping[fx.Node, Place | Weight]) -> Step:
    schema = node.target._schema.arguments  # type: ignore[union-attr]  # an operation of ATen
    plain = {a.name: a.default_value for a in schema if a.has_default_value()}
    plain |= dict(zip((a.name for a in schema), node.args, strict=False)) | node.kwargs
    nodes = [value for value in plain.values() if isinstance(value, fx.Node)]
    places = {value: known[value] for value in nodes}
    maps = [value for value in nodes if isinstance(places[value], Place)]
    shape = tuple(int(extent) for extent in maps[0].meta["val"].shape[1:]) if maps else ()
    return Step(
        node.target,
        {name: places[v] if isinstance(v, fx.Node) else v for name, v in plain.items()},
        tuple(place.index for value in maps if isinstance(place := places[value], Place)),
        shape,
    )


def _output(node: fx.Node, known: Mapping[fx.Node, Place | Weight]) -> int:
    results: Any = node.args[0]
    place = known.get(results[0]) if len(results) == 1 else None
    if not isinstance(place, Place):
        raise UsageError("bounds are for a network with one output, the logits", code="no_bounds")
    return place.index
