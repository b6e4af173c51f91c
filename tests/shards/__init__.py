"""Tenants with schemas on a second server, which share a database there: processes of their own on two real servers."""
