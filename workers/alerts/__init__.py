"""Alerts: what raises one, what becomes of it, and who is told elsewhere."""
