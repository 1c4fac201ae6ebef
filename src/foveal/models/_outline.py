"""Networks without numbers: shapes alone, on torch's meta device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

# What sets the numbers of weights in place: on the meta device it does nothing, slowly.
_SETTING = frozenset({"normal_", "uniform_", "fill_", "zero_", "erfinv_", "clamp_", "mul_", "add_"})


class _Unset(TorchFunctionMode):
    """Leaves out what only sets numbers."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Return the tensor that is to be set as it is, and what any other function returns."""
        kwargs = kwargs or {}
        setting = getattr(func, "__name__", "") in _SETTING
        if setting or getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@contextmanager
def outlined() -> Iterator[None]:
    """Let what is built inside have shapes and no numbers; nothing of it is computed or allocated."""
    with torch.device("meta"), _Unset():
        yield
