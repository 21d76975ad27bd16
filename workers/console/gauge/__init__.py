"""The robustness gauge: what the defence is worth now, and who lets their face be attacked for it."""
