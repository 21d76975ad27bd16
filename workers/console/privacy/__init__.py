"""Why people are filmed, how long what is kept of them, and what they can ask for."""
