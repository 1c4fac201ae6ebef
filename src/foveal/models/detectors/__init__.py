"""Detectors, a family per file, as `foveal.models`; a builder's `size` is height and width of the input.

A detector's `candidates(images)` returns boxes in pixels, (N, P, 4), and class logits, (N, P, K), with P that
depends on nothing but the size of the input; one that has `attributes`, their logits (N, P, V), too. From
there export, parity and evaluation go on without knowing which family it is. What it learns, `LEARNS` names.
"""
