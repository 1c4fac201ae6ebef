"""Where pictures come from, one kind per file.

A file defines `<name>(options, running)`, which yields `Shot`s, and four more names:

- `is_meant(place)`: whether a text names a source of this kind; of one text only one kind says so;
- `EXTRA`: the extra that it needs, or None;
- `LIVE`: whether pictures that nobody has taken are worth nothing once a newer one is there;
- `LASTING`: whether an end is an accident, after which it is asked again.

A source runs in a thread of its own. It looks at `running.stop` every few tenths of a second while it waits,
takes times with the monotonic clock, and never lets them go back. An error is a `FovealError`;
`TemporaryError` where asking again may help.
"""
