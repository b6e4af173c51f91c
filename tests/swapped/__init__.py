"""A deployment with a tenant model of its own, whose key is the uid."""
