"""The database engine: BEGIN, the queue of a transaction, savepoints, COMMIT, and the look at a connection."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.transaction import TransactionManagementError
from django.db.utils import (
    DatabaseError,
    DataError,
    IntegrityError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from django.test.utils import CaptureQueriesContext
from psycopg.pq import TransactionStatus
from pytest_django import Settings

from fintech_core import libpq
from fintech_core.libpq import Command
from fintech_core.models import IdempotencyRecord
from fintech_core.prepared import Statement
from tests.databases import end_session
from tests.factories import UserFactory
from tests.signals import Interrupted, interrupted
from tests.wire import Wire, listening
from users.models import User

ECHO = Statement("SELECT %s::text")
QUOTIENT = Statement("SELECT 1 / %s::int")
SLEEPING = Statement("SELECT pg_sleep(%s::float8)")
NEW_RECORD = Statement("""
    INSERT INTO fintech_core_idempotencyrecord
           (user_id, operation, key, fingerprint, document_kind, response_status, created_at)
    SELECT '00000000-0000-0000-0000-000000000001', 'a', %s, 'f', '', 201, now()
""")


@pytest.fixture
def prepared(committed_db: None) -> Iterator[None]:
    """A session that has prepared the statements: one that it has not is prepared right before its first use."""
    ECHO.rows([""])
    QUOTIENT.rows([1])
    SLEEPING.rows([0])
    with transaction.atomic():
        NEW_RECORD.rows([""])
        transaction.set_rollback(True)
    yield
    connection.close_if_unusable_or_obsolete()


@pytest.fixture
def wire(prepared: None, tmp_path: Path) -> Iterator[Wire]:
    """What passes between the client and the server."""
    with listening(tmp_path) as wire:
        yield wire


def in_a_transaction(*steps: Callable[[], object]) -> None:
    """Take the steps one after the other, then commit."""
    with transaction.atomic():
        for step in steps:
            step()


def divide_by_zero() -> None:
    """Queue it, and run something else."""
    QUOTIENT.queue([0])
    ECHO.rows(["next"])


def keys() -> list[str]:
    """The keys of the records that are there."""
    return list(IdempotencyRecord.objects.order_by("id").values_list("key", flat=True))


@pytest.mark.usefixtures("prepared")
class TestBegin:
    def test_goes_with_the_first_statement_in_one_round_trip(self, tmp_path: Path) -> None:
        with listening(tmp_path) as wire, transaction.atomic():
            ECHO.rows(["first"])
            assert connection.connection.pgconn.transaction_status == TransactionStatus.INTRANS
            messages = wire.trace()
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

    def test_a_wait_that_is_interrupted_closes_the_connection(self) -> None:
        with interrupted(0.3), pytest.raises(Interrupted), transaction.atomic():
            SLEEPING.rows([30])
        with transaction.atomic():
            assert ECHO.rows(["by a new one"]) == [("by a new one",)]


@pytest.mark.usefixtures("committed_db")
class TestSavepoints:
    def test_what_comes_after_one_is_taken_back_alone(self) -> None:
        with transaction.atomic():
            kept = UserFactory()
            with transaction.atomic():
                UserFactory()
                transaction.set_rollback(True)
            with transaction.atomic():
                also_kept = UserFactory()
        assert set(User.objects.filter(is_staff=False)) == {kept, also_kept}

    def test_one_that_comes_first_begins_the_transaction(self) -> None:
        with transaction.atomic():
            with transaction.atomic():
                UserFactory()
            transaction.set_rollback(True)
        assert not User.objects.exists()

    def test_a_statement_that_failed_in_it_does_no_harm_outside(self) -> None:
        with transaction.atomic():
            with pytest.raises(DataError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
            UserFactory()
        assert User.objects.count() == 1

    def test_an_error_is_one_of_django(self) -> None:
        with pytest.raises(OperationalError, match="does not exist"):
            in_a_transaction(UserFactory, lambda: transaction.savepoint_commit("nobody_made_it"))
        assert not User.objects.exists()

    def test_a_session_that_has_ended_is_an_error_of_the_connection(self) -> None:
        def work() -> None:
            UserFactory()
            end_session(connection.connection.info.backend_pid)
            transaction.savepoint()

        with pytest.raises(OperationalError), transaction.atomic():
            work()
        connection.close_if_unusable_or_obsolete()
        assert not User.objects.exists()

    def test_they_are_counted_among_the_queries(self) -> None:
        with CaptureQueriesContext(connection) as queries, transaction.atomic(), transaction.atomic():
            ECHO.rows(["asked"])
        told = [query["sql"].split()[0] for query in queries]
        assert told == ["BEGIN", "SAVEPOINT", "SELECT", "RELEASE", "COMMIT"]


@pytest.mark.usefixtures("prepared")
class TestQueue:
    def test_goes_with_the_next_statement_in_one_round_trip(self, wire: Wire) -> None:
        with transaction.atomic(), transaction.atomic():
            first = ECHO.queue(["first"])
            assert "first" not in wire.trace()
            assert ECHO.rows(["second"]) == [("second",)]
            assert wire.round_trips() == 1
            assert first.rows() == [("first",)]
            assert wire.round_trips() == 1

    def test_goes_with_commit_in_one_round_trip(self, wire: Wire) -> None:
        with transaction.atomic():
            with transaction.atomic():
                NEW_RECORD.queue(["k"])
            NEW_RECORD.queue(["l"])
        assert wire.round_trips() == 1
        assert set(keys()) == {"k", "l"}

    def test_goes_before_a_query_of_djangos(self) -> None:
        with transaction.atomic():
            NEW_RECORD.queue(["k"])
            assert keys() == ["k"]

    def test_goes_before_a_query_of_a_cursor_that_was_there_before(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            NEW_RECORD.queue(["k"])
            cursor.execute("SELECT count(*) FROM fintech_core_idempotencyrecord")
            assert cursor.fetchone() == (1,)

    def test_goes_when_its_result_is_read(self) -> None:
        with transaction.atomic():
            assert ECHO.queue(["asked"]).row() == ("asked",)
            assert ECHO.queue(["again"]).rows() == [("again",)]

    def test_is_never_sent_where_all_is_rolled_back(self, wire: Wire) -> None:
        with transaction.atomic():
            result = NEW_RECORD.queue(["k"])
            transaction.set_rollback(True)
        assert wire.trace() == ""
        assert keys() == []
        with pytest.raises(TransactionManagementError, match="never ran"):
            result.rows()

    def test_what_came_after_a_savepoint_is_dropped_with_it(self) -> None:
        with transaction.atomic():
            NEW_RECORD.queue(["before"])
            with transaction.atomic():
                NEW_RECORD.queue(["within"])
                transaction.set_rollback(True)
            NEW_RECORD.queue(["after"])
        assert set(keys()) == {"before", "after"}

    def test_nor_is_it_sent_when_the_savepoint_was_made_before(self, wire: Wire) -> None:
        with transaction.atomic():
            with transaction.atomic():
                ECHO.rows(["made"])
                with transaction.atomic():
                    NEW_RECORD.queue(["within"])
                transaction.set_rollback(True)
            NEW_RECORD.queue(["after"])
        assert "within" not in wire.trace()
        assert keys() == ["after"]

    def test_its_error_is_told_by_the_next_statement(self) -> None:
        with pytest.raises(DataError):
            in_a_transaction(lambda: NEW_RECORD.queue(["k"]), divide_by_zero)
        assert keys() == []

    def test_its_error_in_a_savepoint_leaves_what_was_before(self) -> None:
        with transaction.atomic():
            NEW_RECORD.queue(["k"])
            with pytest.raises(DataError):
                in_a_transaction(divide_by_zero)
            assert ECHO.rows(["goes on"]) == [("goes on",)]
        assert keys() == ["k"]

    def test_its_error_is_told_before_a_savepoint_and_ends_the_whole(self) -> None:
        """Whoever tries something in a savepoint, and passes over its errors, does not lose what was before unheard."""

        def try_something() -> None:
            QUOTIENT.queue([0])
            with pytest.raises(DataError):
                in_a_transaction(lambda: ECHO.rows(["tried"]))

        with pytest.raises(InternalError, match="nothing was committed"):
            in_a_transaction(lambda: NEW_RECORD.queue(["k"]), try_something)
        assert keys() == []

    def test_its_error_is_told_by_commit(self) -> None:
        with pytest.raises(IntegrityError):
            in_a_transaction(lambda: NEW_RECORD.queue(["k"]), lambda: NEW_RECORD.queue(["k"]))
        assert keys() == []
        assert ECHO.rows(["as before"]) == [("as before",)]

    def test_outside_of_a_transaction_it_goes_at_once(self) -> None:
        NEW_RECORD.queue(["k"])
        assert keys() == ["k"]

    def test_goes_without_being_prepared_where_nothing_may_be(self, settings: Settings) -> None:
        settings.PREPARED_STATEMENTS = False
        with transaction.atomic():
            result = ECHO.queue(["first"])
            assert ECHO.rows(["second"]) == [("second",)]
            assert result.rows() == [("first",)]

    def test_a_session_that_has_ended_is_an_error_of_the_connection(self) -> None:
        backend = connection.connection.info.backend_pid
        with pytest.raises(OperationalError):
            in_a_transaction(lambda: NEW_RECORD.queue(["k"]), lambda: end_session(backend))
        connection.close_if_unusable_or_obsolete()
        assert keys() == []

    def test_nothing_is_queued_for_another_connection(self) -> None:
        with transaction.atomic():
            NEW_RECORD.queue(["k"])
            connection.close()
            assert connection._queue == []  # type: ignore[attr-defined]
            transaction.set_rollback(True)
        connection.enqueue(Command(b"SELECT 1 / 0", ()))  # type: ignore[attr-defined]
        connection.connect()
        assert keys() == []

    def test_a_savepoint_is_there_when_a_statement_cannot_be_prepared(self) -> None:
        with transaction.atomic():
            NEW_RECORD.rows(["before"])
            with pytest.raises(ProgrammingError):
                in_a_transaction(lambda: Statement("SELECT nobody_knows_it").rows())
            assert ECHO.rows(["goes on"]) == [("goes on",)]
        assert keys() == ["before"]

    def test_a_transaction_that_is_only_queued_cannot_be_left_for_autocommit(self) -> None:
        connection.set_autocommit(False)
        in_a_transaction(lambda: NEW_RECORD.queue(["k"]))
        with pytest.raises(ProgrammingError):
            connection.set_autocommit(True)
        connection.rollback()
        connection.set_autocommit(True)
        assert keys() == []

    def test_another_thread_can_neither_send_nor_drop_it(self) -> None:
        with transaction.atomic(), ThreadPoolExecutor(1) as other:
            NEW_RECORD.queue(["k"])
            for step in (connection.close, connection.cursor):
                with pytest.raises(DatabaseError):
                    other.submit(getattr(connections["default"], step.__name__)).result()
        assert keys() == ["k"]


@pytest.mark.usefixtures("committed_db")
class TestPreparing:
    """A session prepares a statement once, in the round trip of its first use, whatever goes before it."""

    def test_the_first_use_waits_no_more_often_than_the_next(self, prepared: None, wire: Wire) -> None:
        half, third = Statement("SELECT %s::int / 2"), Statement("SELECT %s::int / 3")
        with transaction.atomic():
            halves = [half.queue([number]) for number in (2, 4)]
            thirds = [third.queue([3]), third.queue([6])]
            assert [result.row() for result in (*halves, *thirds)] == [(1,), (2,), (1,), (2,)]
            assert wire.round_trips() == 1
            assert half.row([6]) == (3,)
            assert wire.round_trips() == 2
        assert wire.trace().count('Parse\t "fintech_core_') == 2

    def test_what_fails_before_one_lets_it_be_prepared_later(self) -> None:
        double = Statement("SELECT %s::int * 2")
        with pytest.raises(DataError):
            in_a_transaction(lambda: QUOTIENT.queue([0]), lambda: double.row([1]))
        assert [double.row([1]), double.row([2])] == [(2,), (4,)]

    def test_one_that_fails_in_use_was_prepared(self) -> None:
        ratio = Statement("SELECT 2 / %s::int")
        with pytest.raises(DataError):
            ratio.row([0])
        assert ratio.row([1]) == (2,)

    def test_an_interrupt_before_it_is_noted_leaves_no_session_behind(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fivefold, read_results = Statement("SELECT %s::int * 5"), libpq._read_results

        def interrupted_after(*given: Any) -> None:
            assert list(read_results(*given))
            raise Interrupted

        monkeypatch.setattr(libpq, "_read_results", interrupted_after)
        with pytest.raises(Interrupted):
            fivefold.row([1])
        monkeypatch.undo()
        connection.close_if_unusable_or_obsolete()
        assert fivefold.row([1]) == (5,)

    def test_one_that_is_dropped_was_never_prepared(self) -> None:
        triple = Statement("SELECT %s::int * 3")
        with transaction.atomic():
            triple.queue([1])
            transaction.set_rollback(True)
        assert triple.row([1]) == (3,)


@pytest.mark.usefixtures("prepared")
class TestCommit:
    def test_nothing_is_sent_where_nothing_was_begun(self, tmp_path: Path) -> None:
        connection.ensure_connection()
        with listening(tmp_path) as wire:
            with transaction.atomic(), transaction.atomic():
                """Nothing is asked."""
            assert wire.trace() == ""

    def test_one_whose_session_has_ended_is_an_error_of_the_connection(self) -> None:
        def work() -> None:
            UserFactory()
            end_session(connection.connection.info.backend_pid)

        with pytest.raises(OperationalError), transaction.atomic():
            work()
        connection.close_if_unusable_or_obsolete()
        assert not User.objects.exists()

    def test_one_that_was_answered_by_a_rollback_is_an_error(self) -> None:
        def passed_over() -> None:
            with pytest.raises(DataError):
                divide_by_zero()

        with pytest.raises(InternalError, match="nothing was committed"):
            in_a_transaction(lambda: NEW_RECORD.rows(["k"]), passed_over)
        assert keys() == []

    def test_one_whose_wait_is_interrupted_closes_the_connection_and_tells_by_what(self) -> None:
        with interrupted(0.3), pytest.raises(Interrupted):
            in_a_transaction(lambda: SLEEPING.queue([30]))
        with transaction.atomic():
            NEW_RECORD.queue(["by a new one"])
        assert keys() == ["by a new one"]


@pytest.mark.usefixtures("committed_db")
class TestIsUsable:
    def test_while_the_server_answers(self) -> None:
        connection.ensure_connection()
        assert connection.is_usable()
        end_session(connection.connection.info.backend_pid)
        assert not connection.is_usable()
        connection.close()
        assert not connection.is_usable()
