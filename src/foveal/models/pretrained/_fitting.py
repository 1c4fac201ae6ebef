"""Put weights into a network that has other classes, and maybe more channels, than the one they are from."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from foveal.core.errors import DataError
from foveal.models._head import head_of
from foveal.models.pretrained._weights import Weights

_SHOWN = 5
_COUNTER = "num_batches_tracked"  # older files lack it; it says nothing where the momentum is fixed


def fit_to(network: nn.Module, weights: Weights, *, apart: Sequence[str] = ()) -> dict[str, Tensor]:
    """Return the state of a network with these weights; its head stays what it is.

    A first convolution for more than three channels repeats the filters of the first three, scaled so that
    its answers keep their size.

    Args:
        network: Its own state is left alone.
        weights: By the names that the network has; those of the head play no part.
        apart: Names of other layers that the weights may have and the network has not.

    Raises:
        DataError: `weights_mismatch`: a name is missing or not known, or a shape is another one.
    """
    own = network.state_dict()
    head, _ = head_of(network)
    widened = _first_filters(network)
    left_out = tuple(f"{name}." for name in (head, *apart))
    wanted = {name for name in own if not name.startswith(left_out)}
    given = {name: t for name, t in weights.tensors.items() if not name.startswith(left_out)}
    if widened in given and widened in own:
        given[widened] = _for_channels(given[widened], own[widened].shape[1])
    missing = sorted(name for name in wanted - set(given) if not name.endswith(_COUNTER))
    unknown = sorted(set(given) - wanted)
    shapes = [
        f"{name} is {tuple(given[name].shape)}, not {tuple(own[name].shape)}"
        for name in sorted(wanted & set(given))
        if given[name].shape != own[name].shape
    ]
    if missing or unknown or shapes:
        said = [*_some("missing", missing), *_some("not in this network", unknown), *_some("shape", shapes)]
        raise DataError(
            f"the weights of {weights.source} do not fit: {'; '.join(said)}",
            code="weights_mismatch",
            hint="name the model that they were trained with: --model, for clips --backbone; foveal models "
            "lists what there is",
        )
    return {**own, **{name: given[name].to(own[name].dtype) for name in wanted & set(given)}}


def channels_of(network: nn.Module, weights: Weights) -> int:
    """Return how many channels the pictures had that weights were trained on.

    Args:
        network: Names the first convolution; without one, as many as there are means, else 3.
        weights: By the names that the network has.
    """
    filters = weights.tensors.get(_first_filters(network))
    if filters is not None and filters.ndim == 4:
        return filters.shape[1]
    return 3 if weights.mean is None else len(weights.mean)


def _first_filters(network: nn.Module) -> str:
    first = next((n for n, m in network.named_modules() if isinstance(m, nn.Conv2d)), "")
    return f"{first}.weight"


def _for_channels(filters: Tensor, channels: int) -> Tensor:
    if filters.ndim != 4 or filters.shape[1] == 1 or filters.shape[1] >= channels:
        return filters
    count = filters.shape[1]
    repeated = filters[:, torch.arange(channels) % count]
    return repeated * (count / channels)


def _some(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [f"{what}: {', '.join(names[:_SHOWN])}{more}"]
