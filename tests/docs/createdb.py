"""The part of PostgreSQL's createdb that the pages use, for machines that have none: a name."""

import sys

import psycopg
from psycopg import sql

with psycopg.connect(dbname="postgres", autocommit=True) as server:  # host and user: PGHOST, PGUSER
    server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(sys.argv[1])))
