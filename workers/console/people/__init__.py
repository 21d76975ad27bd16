"""Who is enrolled: looking, enrolling, renaming, removing."""
