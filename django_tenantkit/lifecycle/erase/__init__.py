"""Erasing a tenant: everything, everywhere, with evidence. `run.py` has the functions that others call."""
