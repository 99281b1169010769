"""Fixtures of cashback."""

from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.cashback.scenes import Scene, set_scene
from tests.databases import Databases


@pytest.fixture(scope="module")
def scene(databases: Databases, django_db_blocker: DjangoDbBlocker, django_db_setup: None) -> Iterator[Scene]:
    """A committed history in a database of the module's own."""
    with django_db_blocker.unblock(), databases.another("scene"):
        yield set_scene()
