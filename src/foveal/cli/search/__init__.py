"""Find pictures by what they look like: make an index of many, and ask it about one."""
