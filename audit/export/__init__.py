"""Cases for whoever has to be convinced: decisions, pictures, footage, and what proves them."""
