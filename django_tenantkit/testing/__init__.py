"""For the tests of projects that use django_tenantkit: `cases`, `client`, `drf`, `embedded`, `fixtures`.

Nothing is imported here: pytest loads `plugin` before Django is set up.
"""
