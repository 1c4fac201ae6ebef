"""Where a layer's features raise a class."""

import torch

from foveal.explain.layers import last_spatial, network_input, outputs_of, spatial
from foveal.explain.scores import Float32, UInt8, check_picture
from foveal.tasks.recognizer import Recognizer

UNIT = "logit"


def grad_cam(recognizer: Recognizer, image: UInt8, index: int, *, layer: str | None = None) -> Float32:
    """Return the Grad-CAM map of a class, float32 (h, w), 0 and more, with the layer's height and width.

    Each channel of the layer counts with the mean of the logit's gradient over its places; what is negative
    in their sum speaks for other classes and is left out.

    Source: Selvaraju et al., "Grad-CAM", 2017, eq. 1 and 2.

    Args:
        recognizer: Any network that gives logits (N, K).
        image: uint8 (size, size, channels) at model size.
        index: The class.
        layer: Name of a module with height and width; None: the last one.

    Raises:
        UnknownNameError: No such layer.
        UsageError: No layer has height and width, or the picture is not such.
    """
    check_picture(image)
    chosen = last_spatial(recognizer) if layer is None else spatial(recognizer, layer)
    network = recognizer.network.eval()
    # The input asks for a gradient so that there is one even where all weights are frozen.
    inputs = network_input(recognizer, image[None]).requires_grad_()
    with torch.enable_grad(), outputs_of(network, [chosen.name]) as outputs:
        logits = network(inputs)
        features = outputs[chosen.name]
        (slopes,) = torch.autograd.grad(logits[0, index], features)
    weights = slopes.mean(dim=(2, 3), keepdim=True)
    found: Float32 = (weights * features).sum(dim=1)[0].relu().detach().float().numpy()
    return found
