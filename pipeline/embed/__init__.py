"""Embedders: one file per network, and the runtimes that execute them."""
