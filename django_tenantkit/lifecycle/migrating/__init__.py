"""Migrating the homes of all tenants.

Planned once for each state that homes are in, and not once for each home (`plans.py`). The first home of a state is
migrated as Django does it, and what that sends is recorded (`recording.py`, `homely.py`). The others get the record
in one message each (`replaying.py`). What depends on rows runs in each home. `run.py` goes over the homes.
"""
