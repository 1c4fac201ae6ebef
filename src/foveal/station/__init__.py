"""Where parts are judged as they come: each decision on the disk before anybody is told of it."""
