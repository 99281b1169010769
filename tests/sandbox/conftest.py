"""Fixtures: one sandbox process for all tests of a worker, emptied before each."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.sandbox.actors import Merchant, Receiver, SandboxProcess, receiver


@pytest.fixture(scope="session")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The process."""
    process = SandboxProcess(tmp_path_factory.mktemp("sandbox") / "book.sqlite3")
    yield process
    process.end(subprocess.Popen.terminate)


@pytest.fixture
def merchant(running_sandbox: SandboxProcess) -> Iterator[Merchant]:
    """A merchant in front of an empty book."""
    actor = Merchant(running_sandbox.url)
    with actor.http:
        actor.control("reset")
        yield actor


@pytest.fixture
def inbox(merchant: Merchant) -> Iterator[Receiver]:
    """Where Paystack and VTpass send their webhooks."""
    with receiver() as listening:
        merchant.control("webhooks", vendor="paystack", url=listening.url)
        merchant.control("webhooks", vendor="vtpass", url=listening.url)
        yield listening
