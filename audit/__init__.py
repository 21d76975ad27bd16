"""What was decided, kept so that it can be shown and derived again."""
