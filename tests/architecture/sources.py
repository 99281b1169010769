"""The project's own sources, parsed once."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = (
    "fintech_core", "notifications", "users", "wallet", "transactions", "cashback", "payments", "billers",
    "backoffice",
)  # fmt: skip
MONEY_APPS = ("wallet", "transactions", "cashback", "payments", "billers")


@dataclass(frozen=True)
class Source:
    """One file: its path below the project, its lines and its syntax tree."""

    path: str
    lines: int
    tree: ast.Module

    @property
    def folder(self) -> str:
        """The first part of the path: the app, ``tests`` or ``sandbox``."""
        return self.path.partition("/")[0]


@cache
def sources(*folders: str, migrations: bool = False) -> tuple[Source, ...]:
    """Return every Python file of the folders; migrations only when they are asked for."""
    return tuple(_read(*folders, migrations=migrations))


def _read(*folders: str, migrations: bool) -> Iterator[Source]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            relative = path.relative_to(ROOT)
            if migrations or "migrations" not in relative.parts:
                yield _source(str(relative))


@cache
def _source(relative: str) -> Source:
    return parse(relative, (ROOT / relative).read_text())


def parse(path: str, text: str) -> Source:
    """Make a source of a text."""
    return Source(path, len(text.splitlines()), ast.parse(text))


def imports_of(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Name every module that is imported, wherever in the file, and the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno
