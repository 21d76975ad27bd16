"""Measurements that the README quotes; each prints what it measured and how."""
