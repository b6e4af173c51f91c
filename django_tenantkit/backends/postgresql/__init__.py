"""`ENGINE = "django_tenantkit.backends.postgresql"`."""
