"""An id in a test's name stands in tests/CASES.md, and what is tested according to that page is tested there."""

import ast
import re
from collections import defaultdict

from tests.architecture.sources import ROOT, sources
from tests.flows.abuse.inventory import ELSEWHERE, HERE
from tests.transactions.test_lessons import HELD_OFF_BY, IMPOSSIBLE

TESTS = ROOT / "tests"
ID = r"(?:10|[1-9])_\d\d|w\d+|lesson_\d+|b_\d+|medici_\d+"


def rows() -> list[tuple[list[str], str]]:
    """Return the ids of each row of the page, as names spell them, and its last cell."""
    page = (TESTS / "CASES.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| ([^|`]*\d) \|.* \| ([^|]*) \|$", page, re.MULTILINE)
    return [(re.sub("[. ]", "_", ids.lower()).split(",_"), where) for ids, where in cells]


def ids_of(name: str) -> list[str]:
    """Return the ids that the name of a test begins with."""
    leading = re.match(rf"test_((?:(?:{ID})_)+)", name)
    return re.findall(ID, leading[1]) if leading else []


def files_by_id() -> dict[str, set[str]]:
    """Return the files that have each id, in the name of a test or in a docstring."""
    files = defaultdict(set)
    for source in sources("tests"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                told = re.findall(r"\bW\d+\b", ast.get_docstring(node) or "")
                for each in (*ids_of(getattr(node, "name", "")), *map(str.lower, told)):
                    files[each].add(source.path.removeprefix("tests/").removesuffix(".py"))
    return files


def test_the_page_lists_every_id_once() -> None:
    known = {case.replace(".", "_") for case in HERE | ELSEWHERE.keys()} | files_by_id().keys()
    known |= {f"lesson_{number}" for number in HELD_OFF_BY.keys() | IMPOSSIBLE}
    assert sorted(each for ids, _ in rows() for each in ids) == sorted(known)


def test_what_it_says_is_tested_is_tested_there() -> None:
    files = files_by_id()
    for ids, where in rows():
        there = {path for each in ids for path in files.get(each, ())}
        assert set(re.findall(r"`([\w/]+)`", where)) == there, ids
        for path, name in (named := re.findall(r"`([\w/]+)::(\w+)`", where)):
            assert f"def {name}(" in (TESTS / f"{path}.py").read_text(encoding="utf-8"), ids
        assert there or named or where.startswith(("not yet: ", "no test: ")), ids


def test_ids_lead_a_name() -> None:
    assert ids_of("test_w3_lesson_9_a_lost_answer") == ["w3", "lesson_9"]
    assert ids_of("test_lesson_15_20_parallel_refunds") == ["lesson_15"]
    assert ids_of("test_20_sends_of_30_pass_three") == ids_of("test_512_kb_are_read") == []
