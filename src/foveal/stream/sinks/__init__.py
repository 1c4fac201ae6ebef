"""Where results go besides stdout, one kind per file.

A file defines `<name>(place, order)`, which returns an `outbox.Sink` or refuses, and `EXTRA`: the extra that
it needs, or None. What it writes to is tried at once: a mistake is told before the first frame.
"""
