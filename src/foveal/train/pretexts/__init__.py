"""What a network can learn from pictures without labels, one method per file.

A file defines `SETTINGS`, its numbers by name, and one subclass of `Pretext`: an objective that makes views
of a batch, asks something about them whose answer is known without labels, and ships the network below its
head.
"""
