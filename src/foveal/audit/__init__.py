"""What statistics say of a data set: near duplicates, doubtful labels, outliers; one per file.

Everything here looks at arrays that one pass over the pictures left (`glance.py`) and opens no file. Only
`out_of_fold.py` learns, and needs torch; the rest is numpy.
"""
