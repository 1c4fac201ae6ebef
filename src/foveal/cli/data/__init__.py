"""Get small real data sets, write data in another layout, and look at data."""
