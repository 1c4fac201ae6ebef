"""Networks of pictures and texts: two encoders into one space.

Not a folder of plug-ins: `dual_encoder` holds any architecture of `models/` beside a `text_transformer`.
"""
