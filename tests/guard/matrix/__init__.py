"""Every way across the line, with nothing but the database in between."""
