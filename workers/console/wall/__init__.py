"""The wall: every camera as it is now, and who is seen."""
