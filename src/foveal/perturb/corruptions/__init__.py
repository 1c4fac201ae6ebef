"""Corruptions, one per file: `corruption(images, *, severity, rng) -> images`.

Images are uint8 (N, H, W, C) at model size, in and out; the input is left alone. Severity is 1 to 5. The
same state of `rng` gives the same pictures on every machine (`jpeg_compression`: with the same Pillow).
What they model, and the severities, follow Hendrycks & Dietterich, "Benchmarking Neural Network Robustness
to Common Corruptions and Perturbations", 2019; the levels are ours, because theirs are for one size only:
they lie between those of CIFAR-10-C and ImageNet-C and hold for any size. https://arxiv.org/abs/1903.12261
"""
