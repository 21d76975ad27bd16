"""Processes: the steps, the bus between them, the command line, and the one place where all is put together."""
