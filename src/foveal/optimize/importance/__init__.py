"""How much a unit counts, one measure per file: `importance/<name>.py` defines `<name>`.

`name(recognizer, groups, examples)` returns per group one number per unit, float64 (units,), 0 and more; the
more, the worse it is to lose it. Numbers are divided by their mean over the group, so that groups can be
compared. `examples` is None or what the measure may look at; a picture whose label is below 0 has none, and
the recognizer's own answer is taken for it. A measure that lacks what it looks at refuses with a
`UsageError`. What was given is left alone. Equal arguments give equal numbers.
"""
