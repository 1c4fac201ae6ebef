"""Fit the rule of an inspection on scores and pictures of parts that nothing was learned from."""
