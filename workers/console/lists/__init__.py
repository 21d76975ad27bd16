"""Watch lists and who is on them."""
