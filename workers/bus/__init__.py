"""The bus: topics of bytes between the steps."""
