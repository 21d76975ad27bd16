"""Kept footage, to be looked at."""
