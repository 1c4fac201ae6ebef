"""What a picture file is, which way up it is, and what its colours mean."""
