"""What looks for defects, a family per file, as `foveal.models`; a builder's `size` is height and width.

`classes` counts what is good, too. A network returns scores (N,), larger is worse, and maps (N, K, h, w) of
K = `classes` - 1 kinds of defect.
"""
