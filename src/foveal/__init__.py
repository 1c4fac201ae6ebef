"""foveal: from the images you have to a small, fast, proven image recognizer.

Importing this package is cheap: every name below is loaded on first use.
"""

__version__ = "0.1.0"
