"""Fixtures of the flow tests: one stack for a whole run, people of its own for each test."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from tests import grounds
from tests.databases import Databases
from tests.flows.fragile import Fragile, start
from tests.stack import Stack
from transactions.verification import verify


@pytest.fixture(scope="session")
def stack(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running system. Never reset: each test makes its own people."""
    with Stack.start(grounds.shared(databases), tmp_path_factory.mktemp("stack")) as running:
        yield running
        running.verify_ledger()


@pytest.fixture(scope="session")
def fragile(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragile]:
    """A second running system, whose servers can be hurt one by one."""
    with start(databases, tmp_path_factory.mktemp("fragile")) as running:
        yield running
        running.stack.verify_ledger()


@pytest.fixture(scope="session")
def lonely(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A third one, with servers of its own to be killed, and with limits."""
    folder = tmp_path_factory.mktemp("lonely")
    with Stack.start(grounds.own(databases, folder / "servers"), folder, RATE_LIMITS="on") as running:
        yield running
        running.verify_ledger()


@pytest.fixture(scope="module", autouse=True)
def books(stack: Stack, databases: Databases, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Prove the ledger after each module, from here: to start the command takes longer than the proof."""
    yield
    own = str(settings.DATABASES["default"]["NAME"])
    with django_db_blocker.unblock():
        databases.use(stack.ground.database)
        try:
            assert verify().findings == ()
        finally:
            databases.use(own)
