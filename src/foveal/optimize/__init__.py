"""Make a recognizer smaller and faster within limits, and measure on the exported file what that costs."""
