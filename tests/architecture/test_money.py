"""Money is never a float: not in a column, not in a variable, not in a literal."""

import ast
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import models

from tests.architecture.sources import APPS, MONEY_APPS, Source, parse, sources

# Names that end like this are durations and moments, never money.
TIME = ("_s", "_S", "_ms", "_at", "timeout", "TIMEOUT")


def floats(source: Source) -> Iterator[str]:
    """Name each float of a file that is no duration."""
    durations = {id(node) for named in _durations(source.tree) for node in ast.walk(named)}
    for node in ast.walk(source.tree):
        if id(node) in durations:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"{source.path}:{node.lineno} the literal {node.value}"
        elif isinstance(node, ast.Name) and node.id == "float":
            yield f"{source.path}:{node.lineno} float"


def _durations(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the parts of a tree that speak of time: what is assigned, passed or returned under such a name."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)]) if name.endswith(TIME):
                yield node
            case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name)) if name.endswith(TIME):
                yield node
            case ast.keyword(arg=str(name)) if name.endswith(TIME) or name == "seconds":
                yield node
            case ast.arg(arg=name) if name.endswith(TIME):
                yield node
            case ast.arguments():
                yield from _defaults(node)
            case ast.FunctionDef(name=name, returns=ast.expr() as returned) if name.endswith(TIME):
                yield returned
            case ast.Compare() if any(_speaks_of_time(part) for part in ast.walk(node)):
                yield node


def _defaults(arguments: ast.arguments) -> Iterator[ast.AST]:
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    for argument, default in [
        *zip(with_default, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]:
        if default is not None and argument.arg.endswith(TIME):
            yield default


def _speaks_of_time(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node).endswith(TIME)


def test_no_float_stands_in_an_app_that_handles_money() -> None:
    assert [line for source in sources(*MONEY_APPS) for line in floats(source)] == []


def test_no_column_is_a_float() -> None:
    columns = [
        field
        for model in apps.get_models()
        if model._meta.app_label in APPS
        for field in model._meta.get_fields()
        if isinstance(field, models.FloatField)
    ]
    assert columns == []


@pytest.mark.parametrize(
    "line", ["fee = 0.015", "amount = float(text)", "def share(amount: float): ...", "pay(amount=1.5)"]
)
def test_the_rule_sees_a_float(line: str) -> None:
    assert list(floats(parse("x.py", line)))


@pytest.mark.parametrize(
    "line", ["LIMIT_S = 2.5", "wait(timeout=0.5)", "def wait_s() -> float: ...", "fee = Decimal('1.5')"]
)
def test_the_rule_lets_durations_pass(line: str) -> None:
    assert not list(floats(parse("x.py", line)))
