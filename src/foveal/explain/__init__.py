"""What a recognizer looks at and what it knows at which depth: maps, probes, neighbours; one per file."""
