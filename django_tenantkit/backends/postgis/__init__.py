"""`ENGINE = "django_tenantkit.backends.postgis"`."""
