"""Live pictures, one after the other, answered before they are old."""
