"""The database session under fire: random requests from threads, processes and coroutines over connections
that others use too, and every answer checked.

    test_fire.py     the configurations, and what has to come out
    ground.py        the database: tenants with rows that are known
    hammer.py        what one process does: `python -m tests.fire`
    requests.py      one request: in which scope, what it may see, what it saw
    reads.py, writes.py, trouble.py, waits.py   what a request does
    naive/           the backend that the hammer has to find out
    test_packets.py  what all this costs on the wire
"""
