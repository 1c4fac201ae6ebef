"""Do pictures in service look like those that a recognizer was calibrated on? Needs no torch, no labels."""
