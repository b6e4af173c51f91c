"""`manage.py demo`, as a newcomer runs it."""

from __future__ import annotations

import re
from pathlib import Path

from .conftest import Site, demo, left_behind


def test_it_sends_requests_that_are_all_answered_as_expected_and_leaves_nothing(tmp_path: Path) -> None:
    process = demo("--once", temporary=tmp_path)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    last = re.fullmatch(r"demo: (\d+) requests, (\d+) as expected", printed.splitlines()[-1])
    assert last, printed
    assert int(last[1]) == int(last[2]) >= 25
    assert left_behind(tmp_path) == []


def test_it_says_where_to_look_and_how_to_log_in(site: Site) -> None:
    for expected in ("http://globex.localhost", "ada@acme.example", "'demo'", "curl -H", "DATABASE_URL="):
        assert expected in site.printed


def test_a_port_that_is_taken_is_one_clear_line(site: Site, tmp_path: Path) -> None:
    process = demo("--port", str(site.port), temporary=tmp_path)
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert f"Port {site.port} is taken" in printed.splitlines()[-1]
    assert left_behind(tmp_path) == []
