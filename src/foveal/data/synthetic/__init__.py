"""Drawn scenes, one per file: pictures that show nothing real, and of which everything is known exactly.

Each file offers a `Synthetic` of the same name, or `Stacks` of bands. They are there to try things that need
truths which nobody can write down by hand: many hundred objects on a picture, the class of every pixel, what
crossed a line. What a recognizer reaches on them says nothing about photographs.
"""
