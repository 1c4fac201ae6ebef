"""How strange each class would be as the truth of an image: float64 (N, K), one score per file.

A prediction set holds the classes whose score is at most a quantile. Any score keeps the promise of split
conformal prediction; it decides how large the sets are, and for which images.
"""
