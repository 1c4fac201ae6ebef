"""Attacks that change a small part of a picture at will, by following gradients.

`logits` takes float32 pixel values 0 to 255 (N, C, H, W) and returns (N, K), differentiable. No ball bounds
what is in the patch; a share of the picture's area bounds how large it is.
"""
