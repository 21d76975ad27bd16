"""People whom nobody has enrolled, in groups."""
