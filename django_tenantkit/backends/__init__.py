"""Database backends that scope tenant tables when they compile SQL."""
