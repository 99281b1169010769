"""Fixtures of the whole suite: real PostgreSQL from a template, real commits where a test needs them."""

import gc
import sys
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.test import TransactionTestCase
from pytest_django.plugin import DjangoDbBlocker
from rest_framework.test import APIClient

from fintech_core.hashers import Argon2id
from tests.databases import Databases, worker_name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by the folder it stands in; what stands elsewhere is a unit test."""
    tiers = {
        "flows": "flow",
        "concurrency": "concurrency",
        "adapters": "adapter",
        "architecture": "architecture",
    }
    tiers["browser"] = "browser"
    own = {"unit", "flow", "concurrency", "adapter", "architecture", "browser"}
    for item in items:
        if own.intersection(marker.name for marker in item.iter_markers()):
            continue
        folder = next((tier for part, tier in tiers.items() if part in item.path.parts), "unit")
        item.add_marker(getattr(pytest.mark, folder))


def pytest_collection_finish() -> None:
    """Let the garbage collector pass by what lives as long as the run: Django, the application, every test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def databases(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Databases]:
    """The maker of test databases; at its end no deadlock was counted.

    Whatever has a database, a running system too, asks for this one and is over before it ends.
    """
    with django_db_blocker.unblock():
        made = Databases()
        yield made
        made.leave()
    assert made.deadlocks == 0, f"{made.deadlocks} deadlocks were counted over this run"


@pytest.fixture(scope="session", autouse=True)
def own_keys(django_test_environment: None) -> None:
    """Give this process keys of its own in Redis, so that no circuit or count of a neighbour's tests is met."""
    settings.CACHES["default"]["KEY_PREFIX"] = worker_name()


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> None:
    """Make passwords cheap in this process; the servers of the flow tests hash them at their full cost."""
    Argon2id.memory_cost = 1024


@pytest.fixture(scope="session")
def django_db_setup(databases: Databases, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Give this process a database of its own, and replace Django's flush by a fresh copy of the template."""
    name = worker_name()
    with django_db_blocker.unblock():
        databases.create(name)
        databases.use(name)

        def fresh_copy(_self: TransactionTestCase) -> None:
            databases.close()
            databases.create(name)

        TransactionTestCase._fixture_teardown = fresh_copy  # type: ignore[method-assign]
        yield
        databases.close()
        databases.drop(name)


@pytest.fixture
def own_database(
    databases: Databases, django_db_blocker: DjangoDbBlocker, django_db_setup: None
) -> Iterator[None]:
    """A database of the test's own, for one that changes the schema."""
    with django_db_blocker.unblock(), databases.another("migrated"):
        yield


@pytest.fixture
def committed_db(transactional_db: None, settings: object) -> None:
    """A database in which commits are real; it is thrown away after the test."""


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Write a line past pytest's capture: who waits for an hour wants to know for what."""

    def write(line: str) -> None:
        with capsys.disabled():
            sys.stderr.write(f"{line}\n")

    return write


@pytest.fixture
def api() -> Callable[..., APIClient]:
    """Make API clients: ``api()`` is anonymous, ``api(user)`` is signed in as the user."""

    def make(user: object | None = None) -> APIClient:
        client = APIClient(raise_request_exception=False)
        if user is not None:
            client.force_authenticate(user=user)  # type: ignore[arg-type]
        return client

    return make
