"""Attacks on aligned crops, one file a family."""
