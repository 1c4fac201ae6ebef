"""Where smaller networks come from, one family per file: `families/<name>.py` defines `<name>`.

A family takes an `optimize.candidate.Start` and returns `Candidate`s. None of them is trained; a search
decides which of them are. A family that finds nothing to save returns none; one that this network does not
allow raises a `UsageError` with the code `no_family`, whose message the report says.
"""
