"""Who may do what: users and their cameras, passwords, sessions, tokens, and the record of access."""
