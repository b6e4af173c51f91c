"""Customers, products and orders of a tenant."""
