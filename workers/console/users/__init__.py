"""Who may use the console: for administrators."""
