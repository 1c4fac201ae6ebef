"""Bounds on what a network can answer for any picture in a box, from `margins.lower_margins` on.

`graph` follows the network once, `rules` has one rule for every operation that is known (any other is
refused by name), `box` is what they pass on.
"""
