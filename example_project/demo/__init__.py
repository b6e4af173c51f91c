"""What `manage.py demo` does: a database, three tenants, believable data, a server, attempts to cross the line."""
