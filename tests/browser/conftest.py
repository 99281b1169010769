"""Fixtures of the browser tests: the running system with its demo people, and Chromium."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import grounds
from tests.browser.window import Window
from tests.databases import Databases
from tests.stack import Stack

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"]


def chromium() -> str | None:
    """Return the Chromium of this machine: ``CHROMIUM``, or one on the path."""
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def program() -> str:
    """The Chromium to start."""
    found = chromium()
    if found is None:
        pytest.skip(f"no Chromium here: none of {', '.join(NAMES)} is on the path, and CHROMIUM is not set")
    return found


@pytest.fixture(scope="session")
def stack(program: str, databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running system, with the demo people in it; above 1,000 naira a refund needs two of staff."""
    limits = {"SECOND_PERSON_ABOVE": "NGN=1000"}
    with Stack.start(grounds.shared(databases), tmp_path_factory.mktemp("stack"), **limits) as running:
        seeded = running.manage("seed_demo")
        assert seeded.returncode == 0, seeded.stderr
        yield running


@pytest.fixture(scope="session")
def browser(program: str, stack: Stack) -> Iterator[Browser]:
    """A Chromium without a window; it ends before the system that it looks at."""
    # Playwright runs an event loop in this thread, in which Django would refuse to speak to its database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield launched
        launched.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures go: ``SCREENSHOTS``, or a folder that pytest keeps for a while."""
    named = os.environ.get("SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def window(browser: Browser, pictures: Path) -> Iterator[Window]:
    """A fresh window; whatever went wrong on its pages fails the test."""
    opened = Window(browser, pictures)
    yield opened
    faults = opened.faults
    opened.close()
    assert faults == []
