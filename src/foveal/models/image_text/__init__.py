"""Networks of pictures and texts: two encoders into one space, and how a text becomes numbers.

Not a folder of plug-ins: `dual_encoder` holds any architecture of `models/` beside a `text_transformer`.
"""
