"""Archives of tenants: one file that holds all that belongs to one. The format: docs/reference/archive.md."""
