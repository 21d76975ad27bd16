"""The desk: alerts, the rules that raise them, and who is told elsewhere."""
