"""The rules of the house: what holds for every file of the package."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from django_tenantkit.conf import Setting, Settings
from django_tenantkit.sql.roles import ORIGINAL_NAME

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "django_tenantkit"
FILES = sorted(PACKAGE.rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SETTINGS = {name: value for name, value in vars(Settings).items() if isinstance(value, Setting)}

#: What the core may import beside the standard library.
CORE_NEEDS = {"django", "psycopg", "asgiref", "django_tenantkit"}

Function = ast.FunctionDef | ast.AsyncFunctionDef

every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), str(file))


def requirements() -> Iterator[tuple[str, str]]:
    """Each extra ("" for none) with the name of each distribution it requires."""
    extras: dict[str, list[str]] = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    for extra, required in extras.items():
        for requirement in required:
            name = re.match(r"[A-Za-z0-9_.-]+", requirement)
            assert name, requirement
            if name[0] != PROJECT["name"]:
                yield extra, name[0]


def imports_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Level and module of each import: level 0 is absolute, as in `ast.ImportFrom`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


def functions_of(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def is_ready(file: Path, function: Function) -> bool:
    """Whether it is `AppConfig.ready()`: Django demands that models are imported there and not above."""
    return file.name == "apps.py" and function.name == "ready"


def test_the_metadata_is_complete() -> None:
    assert PROJECT["name"] == "djtenantkit"
    assert PROJECT["requires-python"] == ">=3.11"
    assert PROJECT["license"] == "MIT"
    assert "Typing :: Typed" in PROJECT["classifiers"]
    assert {name for extra, name in requirements() if not extra} == {"django", "psycopg"}


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_every_dependency_has_its_reason_in_the_documentation() -> None:
    reasons = (ROOT / "docs" / "explanation" / "dependencies.md").read_text()
    assert [name for _, name in requirements() if f"`{name}`" not in reasons] == []


def test_the_import_contracts_hold() -> None:
    lint = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode == 0, lint.stdout


@every_file
def test_no_file_is_longer_than_400_lines(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 400


@every_file
def test_our_own_modules_are_imported_at_the_top(file: Path) -> None:
    lazy = [
        f"{function.name}: {'.' * level}{module}"
        for function in functions_of(parsed(file))
        if not is_ready(file, function)
        for level, module in imports_of(function)
        if level or module.split(".")[0] == "django_tenantkit"
    ]
    assert lazy == []


@every_file
def test_the_core_imports_no_optional_package(file: Path) -> None:
    if file.relative_to(PACKAGE).parts[0] in {"contrib", "testing"}:
        return
    allowed = CORE_NEEDS | sys.stdlib_module_names
    names = {module.split(".")[0] for level, module in imports_of(parsed(file)) if not level}
    assert names - allowed == set()


@every_file
def test_public_functions_and_classes_have_a_docstring(file: Path) -> None:
    if "migrations" in file.parts:
        return  # the name of the file says what it does
    public = [
        node
        for node in parsed(file).body
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
    ]
    undocumented = [node.name for node in public if not ast.get_docstring(node)]
    assert undocumented == []


@every_file
def test_every_file_says_what_it_is_for(file: Path) -> None:
    text = file.read_text().strip()
    assert not text or "migrations" in file.parts or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_named_by_the_convention_and_documented(name: str) -> None:
    setting: Setting[Any] = SETTINGS[name]
    assert setting.name == f"TENANTKIT_{name}"
    assert setting.__doc__
    assert setting.__doc__.endswith(".")


@every_file
def test_only_settings_that_exist_are_mentioned(file: Path) -> None:
    known = {setting.name for setting in SETTINGS.values()} | {ORIGINAL_NAME}
    mentioned = set(re.findall(r"\bTENANTKIT_[A-Z][A-Z_]*[A-Z]\b", file.read_text()))
    assert mentioned - known == set()
