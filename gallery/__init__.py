"""The gallery: subjects, their templates, the index over them, and how they get in."""
