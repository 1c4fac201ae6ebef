"""A report as one page with pictures, and as figures beside their numbers."""
