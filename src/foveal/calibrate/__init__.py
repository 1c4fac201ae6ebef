"""Fit what turns a network's outputs into honest answers: on the exported graph's outputs, without torch."""
