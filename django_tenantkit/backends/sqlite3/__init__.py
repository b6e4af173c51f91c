"""`ENGINE = "django_tenantkit.backends.sqlite3"`."""
