"""Projects and tasks of a tenant."""
