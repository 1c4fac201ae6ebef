"""Pictures found again by what they look like: the file that holds an index, and exact search in it."""
