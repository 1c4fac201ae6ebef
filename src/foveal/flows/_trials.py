"""What `foveal doctor` tries of the training side: `python -m foveal.flows._trials torch|figures`."""

import json
import sys
from typing import Any


def try_torch() -> dict[str, Any]:
    """Import torch, run a convolution in bf16, and return what the build can do."""
    import torch

    images, filters = torch.ones(1, 3, 8, 8), torch.ones(4, 3, 3, 3)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        summed = torch.nn.functional.conv2d(images, filters)
    return {
        "version": torch.__version__,
        "cuda_build": torch.version.cuda,
        "cuda_usable": torch.cuda.is_available(),
        "threads": torch.get_num_threads(),
        "mkldnn": bool(torch._C._has_mkldnn),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "bf16": bool((summed == 27).all()),
    }


def try_figures() -> dict[str, Any]:
    """Draw a line and find the font of the figures."""
    from matplotlib import font_manager

    from foveal.report.drawing import svg

    def line(axes: Any) -> None:
        axes.plot([0, 1], [0, 1])

    drawn = svg("doctor", line)
    return {
        "font": font_manager.findfont(font_manager.FontProperties(family=["sans-serif"])),
        "bytes": len(drawn),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"torch": try_torch, "figures": try_figures}[sys.argv[1]]()))
