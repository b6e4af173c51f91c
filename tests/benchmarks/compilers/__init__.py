"""Our compilers on Django's own connection: what scoping costs without the session protocol and the policies."""
