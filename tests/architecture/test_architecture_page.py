"""docs/explanation/architecture.md names what is there, and nothing of the ground floor is missing from it."""

import re

import pytest
from django.conf import settings

PAGE = settings.BASE_DIR / "docs" / "explanation" / "architecture.md"
CORE = settings.BASE_DIR / "fintech_core"
PATHS = re.compile(r"(?:`|^ *)((?:[a-z_]+/)+[a-z_]+(?:\.py|\.sql)?/?)", re.MULTILINE)
# Folders that Django looks into by their name.
GIVEN = {"management", "migrations", "templates"}


def ground_floor() -> str:
    """Return the part of the page that sorts the modules of fintech_core."""
    return PAGE.read_text().partition("## The ground floor")[2].partition("\n## ")[0]


def test_every_module_of_the_ground_floor_is_sorted_once() -> None:
    named = re.findall(r"`(\w+)`", ground_floor().partition("|---|")[2])
    there = {
        path.stem
        for path in CORE.iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
    }
    assert sorted(named) == sorted(there - GIVEN - {"__init__"})


@pytest.mark.parametrize("path", sorted(set(PATHS.findall(PAGE.read_text()))))
def test_every_path_on_it_exists(path: str) -> None:
    rooms = [settings.BASE_DIR, CORE, *(settings.BASE_DIR / app for app in ("transactions", "payments"))]
    assert any((room / path).exists() for room in rooms)
