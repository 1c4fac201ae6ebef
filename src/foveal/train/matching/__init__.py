"""How a student is held to its teacher, one measure per file: `matching/<name>.py` defines `<name>`.

A measure takes the logits of both, float (N, K), and a temperature, and returns a scalar: 0 where they agree.
The teacher's logits carry no gradient.
"""
