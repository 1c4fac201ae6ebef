"""Corruptions, one per file: `corruption(images, *, severity, rng) -> images`.

Images are uint8 (N, H, W, C) at model size, in and out; the input is left alone. Severity is 1 to 5. The
same state of `rng` gives the same pictures on every machine (those that go through JPEG: with the same
Pillow), and pictures given one by one come out as they do together. Every file says its `GROUP`: noise,
blur, weather, digital or sensor.

The fifteen of `IMAGENET_C`, and their levels, follow Hendrycks & Dietterich, "Benchmarking Neural Network
Robustness to Common Corruptions and Perturbations", 2019, https://arxiv.org/abs/1903.12261: those of
CIFAR-10-C up to 32 pixels, those of ImageNet-C from 224 on, in between by the size (`_levels.py`). The
pictures are not theirs bit for bit; docs/corruptions.md says where ours differ.
"""

IMAGENET_C: tuple[str, ...] = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
"""The fifteen types over which a mean corruption accuracy is taken, in the paper's order."""

MOVING: tuple[str, ...] = ("zoom_blur", "elastic_transform", "misalignment")
"""What is drawn elsewhere than it was: after these, boxes and class maps of the picture no longer hold."""
