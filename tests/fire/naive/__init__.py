"""A backend that does what many projects do: a SET on the session before each query."""
