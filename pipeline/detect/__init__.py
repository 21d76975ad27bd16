"""Face detectors: one file per network."""
