"""The robustness gauge: faces of people who agreed to it, attacked again and again beside the work."""
