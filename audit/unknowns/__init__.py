"""Groups of tracks that nobody was named for: the same stranger, seen again."""
