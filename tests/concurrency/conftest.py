"""Races commit for real, in a database that a module shares: each makes its own people, and none is reset.

After each race the whole ledger is re-proved.
"""

from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.concurrency.grouped import Crowd
from tests.databases import Databases
from transactions import limits, switches
from transactions.verification import verify


@pytest.fixture(scope="module", autouse=True)
def racing_db(
    databases: Databases, django_db_blocker: DjangoDbBlocker, django_db_setup: None
) -> Iterator[None]:
    """A database in which commits are real, for one module."""
    with django_db_blocker.unblock(), databases.another("races"):
        yield


@pytest.fixture(autouse=True)
def sound_ledger(racing_db: None) -> Iterator[None]:
    """Re-prove the ledger after each race."""
    limits.forget()
    switches.forget()
    yield
    assert verify().findings == ()


@pytest.fixture
def crowd() -> Crowd:
    """Four people with money, and one to whom they send it."""
    return Crowd()
