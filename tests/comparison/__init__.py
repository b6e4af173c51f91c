"""An application's queries give inside one tenant exactly what plain Django gives on that tenant's rows alone.

Two databases: in `scoped` the rows of two tenants, behind our backend; in `plain` the first tenant's rows
with the same keys, behind Django's own compilers. Random querysets are evaluated in both, in the first
inside the tenant, in the second with no tenant at all, which our compilers would refuse.

    plain/       the engines of the plain world     graph.py       models, their columns and relations
    data.py      the rows of both tenants           querysets.py   random querysets, as Python code
    worlds.py    the two databases, evaluation      test_*.py      reads, writes, and that a leak is noticed
"""
