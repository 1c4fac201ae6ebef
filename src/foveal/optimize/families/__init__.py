"""Where smaller networks come from, one family per file: `families/<name>.py` defines `<name>`.

A family takes the original recognizer and pictures that may be looked at, uint8 (N, S, S, C), and returns
`optimize.candidate.Candidate`s. None of them is trained; a search decides which of them are.
"""
