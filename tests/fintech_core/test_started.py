"""Statements that are started: the server executes them while we go on, and the next round trip reads their results."""

import time
from collections.abc import Callable
from functools import partial

import pytest
from django.db import DataError, OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError
from psycopg.pq import PipelineStatus, TransactionStatus

from fintech_core.prepared import Statement
from tests.databases import end_session, owner_session
from tests.factories import UserFactory
from tests.fintech_core.test_database import ECHO, QUOTIENT, SLEEPING, in_a_transaction, keys
from users.models import User

pytestmark = pytest.mark.usefixtures("committed_db")

NEW_RECORD = Statement("""
    INSERT INTO fintech_core_idempotencyrecord
           (user_id, operation, key, fingerprint, document_kind, response_status, created_at)
    SELECT '00000000-0000-0000-0000-000000000001', 'a', %s, %s, '', 201, now()
""")


def is_at_rest() -> bool:
    """Whether the session is free for everything: no transaction, no pipeline."""
    server = connection.connection.pgconn
    return bool(
        server.transaction_status == TransactionStatus.IDLE and server.pipeline_status == PipelineStatus.OFF
    )


def is_asleep(backend: int) -> bool:
    """Whether the server works at a started sleep."""
    with owner_session() as other:
        for _ in range(100):
            row = other.execute(
                "SELECT wait_event FROM pg_stat_activity WHERE pid = %s AND state = 'active'", [backend]
            ).fetchone()
            if row == ("PgSleep",):
                return True
            time.sleep(0.02)
    return False


class TestStarted:
    def test_the_server_works_at_it_while_we_go_on(self) -> None:
        connection.ensure_connection()
        with transaction.atomic():
            SLEEPING.start([30])
            assert is_asleep(connection.connection.info.backend_pid)
            end_session(connection.connection.info.backend_pid)
            with pytest.raises(OperationalError):
                ECHO.rows(["next"])
            transaction.set_rollback(True)
        connection.close_if_unusable_or_obsolete()
        assert ECHO.row(["anew"]) == ("anew",)

    def test_several_run_in_their_order_and_are_prepared_once(self) -> None:
        with transaction.atomic():
            for key in "abc":
                NEW_RECORD.start([key, "f"])
            NEW_RECORD.queue(["d", "f"])
            assert ECHO.row(["between"]) == ("between",)
            NEW_RECORD.start(["e", "f"])
        assert keys() == ["a", "b", "c", "d", "e"]
        assert is_at_rest()

    def test_more_than_a_socket_takes_at_once_is_taken_part_by_part(self) -> None:
        with transaction.atomic():
            for key in "abcd":
                NEW_RECORD.start([key * 250, "naïra"])
                ECHO.start(["naïra " * 500_000])
        assert [key[0] for key in keys()] == ["a", "b", "c", "d"]

    def test_outside_of_a_transaction_it_is_done_when_it_returns(self) -> None:
        NEW_RECORD.start(["a", "f"])
        assert is_at_rest()
        with pytest.raises(DataError):
            QUOTIENT.start([0])
        assert keys() == ["a"]


def run_a_statement() -> None:
    ECHO.row(["next"])


def ask_by_the_orm() -> None:
    User.objects.count()


def start_more() -> None:
    NEW_RECORD.start(["more", "f"])
    run_a_statement()


def open_a_savepoint() -> None:
    with transaction.atomic():
        raise AssertionError("not reached: the savepoint syncs first")


def stop() -> None:
    """Run nothing more: COMMIT is next."""


def start_a_fault() -> None:
    QUOTIENT.start([0])


def leave() -> None:
    raise LookupError


class TestErrors:
    @pytest.mark.parametrize("submit", [QUOTIENT.queue, QUOTIENT.start])
    def test_what_never_ran_has_no_result(self, submit: Callable[[list[int]], object]) -> None:
        with transaction.atomic():
            submit([0])
            later = ECHO.queue(["later"])
            for error in (DataError, TransactionManagementError, TransactionManagementError):
                with pytest.raises(error):
                    later.row()
            transaction.set_rollback(True)
        assert is_at_rest()

    @pytest.mark.parametrize(
        "next_thing", [run_a_statement, ask_by_the_orm, start_more, open_a_savepoint, stop]
    )
    def test_the_next_round_trip_raises_them_and_nothing_is_kept(
        self, next_thing: Callable[[], None]
    ) -> None:
        with pytest.raises(DataError):
            in_a_transaction(partial(NEW_RECORD.start, ["a", "f"]), start_a_fault, next_thing)
        assert is_at_rest()
        assert keys() == []

    def test_who_leaves_for_another_reason_is_told_that_reason(self) -> None:
        with pytest.raises(LookupError):
            in_a_transaction(start_a_fault, leave)
        assert is_at_rest()

    @pytest.mark.parametrize("value", [0, 1])
    def test_a_savepoint_that_is_rolled_back_takes_what_was_started_in_it_along(self, value: int) -> None:
        with transaction.atomic():
            NEW_RECORD.rows(["before", "f"])
            with pytest.raises(LookupError):
                in_a_transaction(
                    partial(NEW_RECORD.start, ["in it", "f"]), partial(QUOTIENT.start, [value]), leave
                )
            NEW_RECORD.rows(["after", "f"])
        assert keys() == ["before", "after"]

    def test_leaving_a_savepoint_reads_no_result_so_it_is_told_outside_of_it(self) -> None:
        inner = partial(in_a_transaction, start_a_fault)
        with pytest.raises(DataError):
            in_a_transaction(UserFactory, inner, partial(NEW_RECORD.rows, ["after", "f"]))
        assert (keys(), User.objects.count()) == ([], 0)

    def test_a_closed_connection_forgets_it(self) -> None:
        with pytest.raises(LookupError):
            in_a_transaction(start_a_fault, connection.close, leave)
        connection.close_if_unusable_or_obsolete()
        assert ECHO.row(["anew"]) == ("anew",)
