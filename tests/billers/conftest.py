"""The sandbox process, once a module, and VTpass in front of an empty book."""

import subprocess
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.billers.bench import vtpass
from tests.sandbox.actors import Merchant, SandboxProcess


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The sandbox process."""
    process = SandboxProcess(tmp_path_factory.mktemp("sandbox") / "book.sqlite3")
    yield process
    process.end(subprocess.Popen.terminate)


@pytest.fixture
def vendor(sandbox: SandboxProcess, settings: Settings) -> Iterator[Merchant]:
    """VTpass in front of an empty book."""
    with vtpass(sandbox, settings) as actor:
        yield actor
