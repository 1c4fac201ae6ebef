"""Where pieces of work and groups of processes run; a folder of plug-ins, one engine a file.

`backends/local.py` defines `local`, a function that returns a `Backend`. What one promises is in
`protocol.py`, the only file here without an underscore that is no plug-in.
"""
