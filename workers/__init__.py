"""Processes: the steps, the bus between them, the command line, and the one composition root."""
