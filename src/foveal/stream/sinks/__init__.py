"""Where results go besides stdout, one kind per file.

A file defines `<name>(place, options)`, which returns an `outbox.Sink` or refuses, and three more names:

- `EXTRA`: the extra that it needs, or None;
- `PICTURES`: whether it keeps frames, and nothing that is told without one;
- `LOCAL`: whether its place is a file or folder here, which must not lie where pictures are only read.

What it writes to is tried at once: a mistake is told before the first frame.
"""
