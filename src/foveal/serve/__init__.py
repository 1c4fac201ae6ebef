"""HTTP around recognizers."""
