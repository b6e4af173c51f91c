"""Django's own backend, which sends what our session protocol sends in front of a statement, and does nothing else:
what is left of a request where finding a tenant, compiling its queries and the policies of tables cost nothing."""
