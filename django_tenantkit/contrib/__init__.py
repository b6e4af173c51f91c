"""Optional integrations, independent of each other."""
