"""A reliability certificate: what holds for the file that ships, how that is known, and what is not known.

`measurements/` has one file for each measurement; a profile sets limits, a level says how much is measured,
and every number that has a limit gets one of three verdicts: pass, fail, insufficient.
"""
