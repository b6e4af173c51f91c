"""What stands between Django and PostgreSQL in some tests: a pooler that is started, a proxy that counts."""
