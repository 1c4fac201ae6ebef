"""Write pictures with what was found drawn on them, as `foveal predict --draw` does."""
