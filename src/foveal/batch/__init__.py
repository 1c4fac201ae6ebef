"""Every picture of a large collection exactly once, whatever is killed on the way."""
