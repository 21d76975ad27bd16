"""Finds what was decided: by who was named, when and where, and by a face."""
