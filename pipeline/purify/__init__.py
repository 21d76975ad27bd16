"""Perturbation inactivation: what an attacker added to a face is projected away before it is embedded."""
