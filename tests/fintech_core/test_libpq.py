"""BEGIN and the first statement of a transaction in one round trip."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.utils import DataError, OperationalError
from psycopg.pq import TransactionStatus

from fintech_core.prepared import Statement
from tests.databases import end_session
from tests.factories import UserFactory
from tests.signals import Interrupted, interrupted
from tests.wire import listening
from users.models import User

SLEEPING = Statement("SELECT pg_sleep(%s::float8)")
ECHO = Statement("SELECT %s::text")
QUOTIENT = Statement("SELECT 1 / %s::int")


@pytest.fixture
def learnt(committed_db: None) -> Iterator[None]:
    """A session that knows the statements: one that it meets for the first time is prepared before."""
    SLEEPING.rows([0])
    ECHO.rows([""])
    QUOTIENT.rows([1])
    yield
    connection.close_if_unusable_or_obsolete()


@pytest.mark.usefixtures("learnt")
class TestBegin:
    def test_both_wait_for_one_answer_of_the_server(self, tmp_path: Path) -> None:
        with listening(tmp_path) as wire, transaction.atomic():
            ECHO.rows(["first"])
            assert connection.connection.pgconn.transaction_status == TransactionStatus.INTRANS
            messages = wire.heard()
            assert "BEGIN" in messages
            assert "first" in messages
            assert wire.round_trips() == 1

    def test_what_follows_is_in_the_same_transaction(self) -> None:
        with transaction.atomic():
            assert ECHO.rows(["first"]) == [("first",)]
            UserFactory()
            assert ECHO.rows(["third"]) == [("third",)]
            transaction.set_rollback(True)
        assert not User.objects.exists()

    def test_a_statement_that_fails_leaves_a_transaction_to_be_rolled_back(self) -> None:
        with pytest.raises(DataError), transaction.atomic():
            QUOTIENT.rows([0])
        assert connection.connection.pgconn.transaction_status == TransactionStatus.IDLE
        with transaction.atomic():
            assert QUOTIENT.rows([1]) == [(1,)]

    def test_more_than_a_socket_takes_at_once_arrives_and_comes_back(self) -> None:
        long = "naïra " * 2_000_000
        with transaction.atomic():
            assert ECHO.rows([long]) == [(long,)]

    def test_a_session_that_is_ended_meanwhile_is_an_error_of_the_connection(self) -> None:
        end_session(connection.connection.info.backend_pid)
        with pytest.raises(OperationalError), transaction.atomic():
            ECHO.rows(["anybody there?"])
        connection.close_if_unusable_or_obsolete()
        assert ECHO.rows(["again"]) == [("again",)]

    def test_a_wait_that_is_broken_off_closes_the_connection(self) -> None:
        with interrupted(0.3), pytest.raises(Interrupted), transaction.atomic():
            SLEEPING.rows([30])
        with transaction.atomic():
            assert ECHO.rows(["by a new one"]) == [("by a new one",)]


@pytest.mark.usefixtures("committed_db")
class TestCommit:
    def test_nothing_is_sent_where_nothing_was_begun(self, tmp_path: Path) -> None:
        connection.ensure_connection()
        with listening(tmp_path) as wire:
            with transaction.atomic(), transaction.atomic():
                """Nothing is asked."""
            assert wire.heard() == ""

    def test_one_whose_session_has_ended_is_an_error_of_the_connection(self) -> None:
        def work() -> None:
            UserFactory()
            end_session(connection.connection.info.backend_pid)

        with pytest.raises(OperationalError), transaction.atomic():
            work()
        connection.close_if_unusable_or_obsolete()
        assert not User.objects.exists()
