"""Footage for trying Pinwatch with nothing but what its own dependencies ship."""
