"""What the README and the tutorial say is done as they say it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import psycopg
import pytest

from django_tenantkit.testing import embedded
from tests.docs.blocks import Block, PageError, blocks_of, commands_of, file_of, matches
from tests.docs.project import ROOT, Project

TUTORIAL = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
HOWTO = sorted((ROOT / "docs" / "howto").glob("*.md"))
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    project.close()


#: Who a project may log in as before it has roles: a superuser, or whom a managed server gives.
LOGINS = [embedded.SUPERUSER, "managed"]


@pytest.fixture
def project_with_postgresql(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Project]:
    """A project whose programs find a PostgreSQL of their own, as on a machine where one is installed."""
    user = getattr(request, "param", embedded.SUPERUSER)
    with embedded.start() as server:
        if user != embedded.SUPERUSER:
            address = {"host": str(server.socket_directory), "user": embedded.SUPERUSER, "dbname": "postgres"}
            with psycopg.connect(**address) as admin:
                admin.execute(f"CREATE ROLE {user} LOGIN CREATEROLE CREATEDB")
        project = Project(tmp_path, PGHOST=str(server.socket_directory), PGUSER=user)
        yield project
        project.close()


def failure(project: Project, blocks: list[Block]) -> str:
    """Where the project does not come out as the blocks say; empty where it does."""
    assert blocks
    try:
        for block in blocks:
            project.execute(block)
    except PageError as error:
        return str(error)
    return ""


def test_the_readme_does_what_it_says(project: Project) -> None:
    assert failure(project, blocks_of(ROOT / "README.md")) == ""


@pytest.mark.skipif(not embedded.INSTALLED, reason="its last page uses PostgreSQL")
def test_the_tutorial_does_what_it_says(project_with_postgresql: Project) -> None:
    assert failure(project_with_postgresql, [block for page in TUTORIAL for block in blocks_of(page)]) == ""


EXISTING = ROOT / "docs" / "howto" / "existing-project.md"


@pytest.mark.skipif(not embedded.INSTALLED, reason="the project of the page is on PostgreSQL")
@pytest.mark.parametrize("project_with_postgresql", LOGINS, indirect=True)
def test_making_a_project_multi_tenant_goes_as_the_guide_says(project_with_postgresql: Project) -> None:
    assert failure(project_with_postgresql, blocks_of(EXISTING)) == ""


def on_sqlite(block: Block) -> Block | None:
    """A block of the page as it is on SQLite; None for one that is about PostgreSQL alone."""
    if re.search(r"setup_roles|check_tenants|cursor", block.text):
        return None
    text = re.sub(r"^(\$ createdb|DATABASES = ).*\n", "", block.text, flags=re.MULTILINE)
    return replace(block, text=text.replace("backends.postgresql", "backends.sqlite3"))


def test_it_goes_as_the_guide_says_on_sqlite_too(project: Project) -> None:
    assert failure(project, [block for block in map(on_sqlite, blocks_of(EXISTING)) if block is not None]) == ""


@pytest.mark.skipif(not embedded.INSTALLED, reason="schemas are PostgreSQL's")
@pytest.mark.parametrize("name", ["migrating", "moving", "shards"])
def test_homes_go_as_the_guides_say(project_with_postgresql: Project, name: str) -> None:
    assert failure(project_with_postgresql, blocks_of(ROOT / "docs" / "howto" / f"{name}.md")) == ""


OPERATING = ("maintenance", "erasing", "runbook")


@pytest.mark.skipif(not embedded.INSTALLED, reason="schemas are PostgreSQL's")
def test_operating_goes_as_the_guides_say(project_with_postgresql: Project) -> None:
    pages = [ROOT / "docs" / "howto" / f"{name}.md" for name in OPERATING]
    assert failure(project_with_postgresql, [block for page in pages for block in blocks_of(page)]) == ""


@pytest.mark.skipif(not embedded.INSTALLED, reason="archives are PostgreSQL's")
def test_archives_go_as_the_guide_says(project_with_postgresql: Project) -> None:
    assert failure(project_with_postgresql, blocks_of(ROOT / "docs" / "howto" / "archives.md")) == ""


def python_of(page: Path) -> ast.Module:
    """All Python of a how-to page. Its blocks are parts of a project, so they are read and not executed."""
    return ast.parse("\n".join(_PYTHON.findall(page.read_text())))


@pytest.mark.parametrize("page", HOWTO, ids=lambda page: page.stem)
def test_what_a_how_to_imports_from_the_package_exists(page: Path) -> None:
    for node in ast.walk(python_of(page)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("django_tenantkit"):
            module = import_module(node.module or "")
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@pytest.mark.parametrize("page", HOWTO, ids=lambda page: page.stem)
def test_a_how_to_mentions_only_settings_that_exist(page: Path) -> None:
    conf = import_module("django_tenantkit.conf")
    known = {value.name for value in vars(conf.Settings).values() if isinstance(value, conf.Setting)}
    assert set(re.findall(r"\bTENANTKIT_[A-Z][A-Z_]*[A-Z]\b", page.read_text())) - known == set()


def test_a_python_block_without_a_file_is_refused() -> None:
    with pytest.raises(PageError, match="names its file"):
        file_of(Block("python", "print(1)\n", "page"))


def test_a_command_goes_on_after_a_backslash() -> None:
    [command] = commands_of(Block("console", "$ echo a \\\n  b\na b\n", "page"))
    assert command.line == "echo a \\\n  b"
    assert command.prints == ["a b"]


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [("a\nb\n", ["a", "b"], True), ("a 17 b", ["a ... b"], True), ("a\nc", ["a", "b"], False), ("(x)", ["(.)"], False)],
)
def test_dots_stand_for_anything(printed: str, expected: list[str], same: bool) -> None:
    assert matches(printed, expected) is same


def test_a_command_that_fails_fails_the_page(project: Project) -> None:
    with pytest.raises(PageError, match="exit code 3"):
        project.execute(Block("console", "$ (exit 3)\n", "page"))


def test_variables_and_directories_last(project: Project) -> None:
    texts = ["$ mkdir shop && cd shop && NAME=acme\n", "$ echo $NAME in $(basename $PWD)\nacme in shop\n"]
    assert failure(project, [Block("console", text, "page") for text in texts]) == ""
