"""Ways to write a convolution as several smaller ones: `factorizations/<name>.py` defines `<name>`.

Each is a `Factorization`. Weights are (outputs, inputs, height, width) in float64; a linear layer is a 1×1
convolution. All of them take a metric S of the inputs, and then make ‖(W − W̃) S^½‖ small instead of
‖W − W̃‖: an error in a direction that no input takes costs nothing (arXiv:2511.04494).
"""
