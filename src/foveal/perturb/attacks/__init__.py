"""Pictures that an adversary changed so that a recognizer errs, one attack per file.

`white_box` follows the gradients of the torch network, `black_box` only asks the file that ships. What an
attack finds is an upper bound: no recognizer is more robust than what was found, and it may be less so.
Pictures are uint8 (N, H, W, C) at model size, distances are in grey levels of 0 to 255: `ball.Ball`.
"""
