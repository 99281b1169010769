"""What is interrupted, passed over or lost: nothing is committed in part, and whoever commits is told."""

import random
from collections.abc import Callable, Iterator

import pytest
from django.db import connection, transaction
from django.db.utils import (
    DatabaseError,
    DataError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

from fintech_core.prepared import Statement
from tests.databases import end_session, owner_session
from tests.fintech_core.test_database import ECHO, NEW_RECORD, QUOTIENT, SLEEPING, keys
from tests.signals import Interrupted, interrupted

pytestmark = pytest.mark.usefixtures("committed_db")

TRIES = 400
NAMES = Statement("SELECT first_name FROM users_user")


@pytest.fixture(autouse=True)
def usable_again() -> Iterator[None]:
    """The next test finds a connection that works."""
    yield
    connection.close_if_unusable_or_obsolete()


def store(key: str) -> None:
    """Store a record by a query of Django's."""
    with connection.cursor() as cursor:
        cursor.execute(NEW_RECORD.text.decode(), [key])


def fail_by_the_way() -> None:
    """Break the transaction, and pass over the error."""
    with pytest.raises(DataError):
        QUOTIENT.rows([0])


def lose_the_session() -> None:
    """Let the server end it."""
    end_session(connection.connection.info.backend_pid)


def passing_over_a_nested_block(before: Callable[[], None]) -> None:
    """Store something, let something happen, and pass over a nested block that fails for it."""
    with transaction.atomic():
        store("first")
        before()
        with pytest.raises(DatabaseError), transaction.atomic():
            store("second")


class TestPassingOver:
    @pytest.mark.parametrize("before", [fail_by_the_way, lose_the_session])
    def test_a_transaction_that_cannot_be_committed_ends_with_an_error(
        self, before: Callable[[], None]
    ) -> None:
        with pytest.raises(OperationalError):
            passing_over_a_nested_block(before)
        connection.close_if_unusable_or_obsolete()
        assert keys() == []

    def test_an_error_within_a_nested_block_is_told_at_its_end_and_does_no_harm_outside(self) -> None:
        with transaction.atomic():
            store("first")
            with pytest.raises(InternalError), transaction.atomic():
                fail_by_the_way()
            store("second")
        assert keys() == ["first", "second"]


def three_records(submitted: list[str]) -> None:
    """Queue two, and start one; note which were submitted."""
    for key in ("a", "b"):
        NEW_RECORD.queue([key])
        submitted.append(key)
    NEW_RECORD.start(["c"])
    submitted.append("c")
    ECHO.row(["and wait"])


def start_and_leave() -> None:
    """Let the server work for long, and leave: what it does must be read to its end first."""
    with transaction.atomic():
        SLEEPING.start([30])
        raise LookupError


def passing_over_a_signal() -> None:
    """Store something, and pass over a signal that comes while a nested block is taken back."""
    with transaction.atomic():
        store("first")
        with interrupted(0.3), pytest.raises(Interrupted):
            start_and_leave()


class TestInterrupted:
    def test_whoever_passes_over_a_signal_commits_all_that_was_submitted_or_is_told(self) -> None:
        draw, committed, broken = random.Random(7), 0, 0
        for _ in range(TRIES):
            submitted: list[str] = []
            try:
                with transaction.atomic():
                    try:
                        with interrupted(draw.uniform(0.000_01, 0.002)):
                            three_records(submitted)
                    except Interrupted:
                        broken += 1
                committed += 1
                assert set(keys()) >= set(submitted)
            except DatabaseError:
                connection.close_if_unusable_or_obsolete()
                assert keys() == []
            with owner_session() as owner:
                owner.execute("DELETE FROM fintech_core_idempotencyrecord")
        assert broken
        assert committed

    def test_one_that_comes_while_a_nested_block_is_taken_back_is_told_by_the_outer_one(self) -> None:
        with pytest.raises(OperationalError):
            passing_over_a_signal()
        connection.close_if_unusable_or_obsolete()
        assert keys() == []


class TestLostStatements:
    @pytest.fixture
    def wider_names(self) -> Iterator[None]:
        """A prepared statement that reads the names of people, whose column then gets another type."""
        NAMES.rows()
        with owner_session() as owner:
            owner.execute("ALTER TABLE users_user ALTER first_name TYPE varchar(199)")
            owner.commit()
        yield
        connection.close()
        with owner_session() as owner:
            owner.execute("ALTER TABLE users_user ALTER first_name TYPE varchar(150)")
            owner.commit()

    @pytest.mark.usefixtures("wider_names")
    def test_after_a_migration_one_request_fails_and_the_next_one_has_a_new_session(self) -> None:
        with pytest.raises(NotSupportedError):
            NAMES.rows()
        connection.close_if_unusable_or_obsolete()
        assert NAMES.rows() == []

    def test_a_pooler_that_discards_what_was_prepared_costs_one_request(self) -> None:
        ECHO.row(["prepared"])
        with connection.cursor() as cursor:
            cursor.execute("DISCARD ALL")
        with pytest.raises((OperationalError, ProgrammingError)):
            ECHO.row(["still prepared?"])
        connection.close_if_unusable_or_obsolete()
        assert ECHO.row(["prepared anew"]) == ("prepared anew",)
