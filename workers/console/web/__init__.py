"""The frame: guarded routes, pages, errors, headers, static files."""
