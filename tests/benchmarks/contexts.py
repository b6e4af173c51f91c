"""`python -m tests.benchmarks.contexts`: what the context in front of a statement costs, in each of the forms that it
could have. A look-up by primary key, over one connection without a network; what each takes by the look-up alone."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import psycopg

from django_tenantkit.sql.session import HOME, context, literal, search_path, set_local
from django_tenantkit.testing import embedded

from .method import LEAST_BLOCKS, Figures, excess_ratio, measure, ratio

LOOKUP = "SELECT name FROM thing WHERE id = 500"
ROLE = embedded.SUPERUSER

PREPARE = """
CREATE TABLE thing (id int PRIMARY KEY, name text);
INSERT INTO thing SELECT n, 'thing ' || n FROM generate_series(1, 1000) AS n;
ANALYZE thing;
CREATE FUNCTION nothing() RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION enter(tenant text, acting text, roles text, role text, home text, path text, regnamespace) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tenantkit.tenant', tenant, true), set_config('tenantkit.user', acting, true),
        set_config('tenantkit.roles', roles, true), set_config('role', role, true),
        set_config('tenantkit.home', home, true), set_config('search_path', path, true);
END
$$
"""

SETTINGS = [*context(7, None, (), ROLE), (HOME, "t_00000000000000000000000000000000"), search_path('"public"')]


def forms() -> Iterator[tuple[str, str]]:
    """What may stand in front, and what it is called."""
    values = [literal(value) for _, value in SETTINGS]
    rows = ", ".join(f"({literal(name)}, {literal(value)})" for name, value in SETTINGS)
    ours = set_local(SETTINGS, '"public"')
    yield "what is sent: seven settings", ours
    yield "the same, with no row as its answer", f"SELECT WHERE concat({ours[7:-2]}) IS NULL; "
    yield (
        "the same, as rows of VALUES",
        f"SELECT set_config(name, value, true) FROM (VALUES {rows}) AS v (name, value); ",
    )
    yield "the same, by a function", f"SELECT enter({', '.join(values)}, '\"public\"'); "
    yield "a function that does nothing", "SELECT nothing(); "
    yield "three settings: tenant, role, path", set_local([SETTINGS[0], SETTINGS[3], SETTINGS[5]])
    yield "one setting: the path", set_local([SETTINGS[5]])
    yield "one setting: the tenant", set_local([SETTINGS[0]])
    yield "SELECT 1", "SELECT 1; "


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.contexts", description=__doc__)
    parser.add_argument("--blocks", type=int, default=LEAST_BLOCKS, metavar="N", help=f"blocks: {LEAST_BLOCKS}")
    blocks = parser.parse_args().blocks
    with embedded.start() as server, server.connect() as connection:
        connection.execute(PREPARE)
        cursor: Any = psycopg.ClientCursor(connection)

        def send(text: str) -> None:
            cursor.execute(text.encode())

        def measured(*ahead: str, per_block: Any = ratio) -> Figures:
            texts = [text + LOOKUP for text in ("", *ahead)]
            return measure([lambda text=text: send(text) for text in texts], blocks, per_block)  # type: ignore[misc]

        print("| in front of a look-up | x the look-up | 90 % | what it adds, x what is sent |\n|---|---|---|---|")
        sent = next(forms())[1]
        for name, text in forms():
            wall = measured(text).wall
            share = 1.0 if text == sent else measured(sent, text, per_block=excess_ratio).wall.median
            print(f"| {name} | {wall.median:.2f} | {wall.low:.2f}-{wall.high:.2f} | {share:.2f} |", flush=True)


if __name__ == "__main__":
    main()
