"""The `foveal` command. One file in this folder is one command, loaded when it is asked for.

Exit codes: 0 ok · 1 bug in foveal · 2 usage · 10 a gate failed · 65 bad data · 66 input not found ·
69 missing extra or device · 73 cannot write · 75 try again · 78 bad recipe · 130/143 interrupted.
"""

from foveal.cli._main import main

__all__ = ["main"]
