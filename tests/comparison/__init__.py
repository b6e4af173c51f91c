"""An application's queries give inside one tenant exactly what plain Django gives on that tenant's rows alone.

Two databases: in `scoped` the rows of two tenants, behind our backend; in `plain` the first tenant's rows
with the same keys, behind Django's own compilers. Random querysets are evaluated in both, in the first
inside the tenant, in the second with no tenant at all, which our compilers would refuse.

    plain/         the engines of the plain world
    data.py        the rows of both tenants
    graph.py       models, their columns, and the ways from one to another
    querysets.py   random querysets, as Python code
    shapes.py      what is asked of them in the end
    worlds.py      the two databases, and what code gives in each
    test_*.py      reads, writes, and that a leak is noticed

With TENANTKIT_COMPARISON_EXAMPLES=5000 as many new examples are tried; otherwise always the same 300.
"""
