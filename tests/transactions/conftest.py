"""Fixtures of the ledger's tests."""

from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.databases import Databases
from tests.transactions.pasts import install_clock
from tests.transactions.story import Story, tell_story


@pytest.fixture(scope="module")
def story(databases: Databases, django_db_blocker: DjangoDbBlocker, django_db_setup: None) -> Iterator[Story]:
    """A committed story in a database of the module's own."""
    with django_db_blocker.unblock(), databases.another("story"):
        yield tell_story()


@pytest.fixture
def other_clock(db: None) -> None:
    """A database whose clock ``tests.transactions.pasts`` can set back."""
    install_clock()
