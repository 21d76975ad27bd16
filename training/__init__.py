"""Recipes that make weights: one command each, seeded, resumable; torch, numpy, OpenCV and rich suffice."""
