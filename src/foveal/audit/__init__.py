"""What statistics say of a data set: near duplicates, doubtful labels, outliers; one per file."""
