"""One file a step; the revision is the number that the file begins with."""
