"""What makes a recognizer smaller or faster, one step per file: `steps/<name>.py` defines `<name>`.

A step takes a `Recognizer`, or the bytes of an exported graph, and returns another one; what it was given is
left alone. Each can be used alone from Python. None decides whether it was worth it: that is measured on the
exported file.
"""
