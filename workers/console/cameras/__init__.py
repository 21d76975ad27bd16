"""The cameras that are watched, and what nobody may see of them."""
