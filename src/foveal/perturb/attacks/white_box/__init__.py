"""Attacks that follow gradients: `attack(logits, images, labels, *, ball, steps, generator) -> images`.

`logits` takes float32 pixel values 0 to 255 (N, C, H, W) and returns (N, K), differentiable. Images go in
and come out as float32 (N, C, H, W) in 0 to 255; what comes out lies in the ball and is not rounded: see
`Ball.rounded`.
"""
