"""Files and functions stay small enough to be read."""

import ast
import statistics
from collections.abc import Iterator

import pytest

from tests.architecture.sources import APPS, Source, parse, sources

FILE_LINES = 300
TEST_FILE_LINES = 450
FILE_MEDIAN = 90
FUNCTION_LINES = 69
FUNCTION_P95 = 40
NO_NAMES = {"utils", "helpers", "common", "misc"}
OURS = (*APPS, "sandbox", "bench")


def functions(source: Source) -> Iterator[tuple[str, int]]:
    """Name each function and count its lines, from its first decorator to its end."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield f"{source.path}:{node.lineno} {node.name}", (node.end_lineno or first) - first + 1


@pytest.mark.parametrize(("folders", "limit"), [(OURS, FILE_LINES), (("tests",), TEST_FILE_LINES)])
def test_no_file_is_long(folders: tuple[str, ...], limit: int) -> None:
    assert {file.path: file.lines for file in sources(*folders) if file.lines > limit} == {}


def test_most_files_are_short() -> None:
    assert statistics.median(file.lines for file in sources(*OURS) if file.lines) <= FILE_MEDIAN


def test_no_function_is_long() -> None:
    found = [function for file in sources(*OURS, "tests") for function in functions(file)]
    assert {name: lines for name, lines in found if lines > FUNCTION_LINES} == {}


def test_most_functions_are_short() -> None:
    lines = [lines for file in sources(*OURS) for _, lines in functions(file)]
    assert statistics.quantiles(lines, n=20)[-1] <= FUNCTION_P95


def test_no_file_is_a_drawer() -> None:
    names = {file.path for file in sources(*OURS, "tests")}
    assert {path for path in names if path.rpartition("/")[2].removesuffix(".py") in NO_NAMES} == set()


def test_lines_are_counted_with_decorators() -> None:
    text = "@one\n@two\nasync def three():\n    return 4\n"
    assert list(functions(parse("x.py", text))) == [("x.py:3 three", 4)]
