"""Attacks the recogniser with its defence in place and says, with intervals, what withstood."""
