"""Get small real data sets, draw synthetic ones, write data in another layout, and look at data."""
