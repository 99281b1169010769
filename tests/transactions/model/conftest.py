"""A database in which the machine's commits are real, for one test."""

from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.databases import Databases, worker_name
from tests.transactions.model import stops
from tests.transactions.model.bank import forget, fresh


@pytest.fixture
def model_db(
    databases: Databases, django_db_blocker: DjangoDbBlocker, django_db_setup: None
) -> Iterator[Databases]:
    """A copy of the template in which commits are real, for one test."""
    with django_db_blocker.unblock(), stops.installed():
        try:
            fresh(databases)
            yield databases
        finally:
            databases.use(worker_name())
            databases.drop(f"{worker_name()}_model")
            forget()
