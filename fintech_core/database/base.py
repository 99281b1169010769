"""Django's PostgreSQL engine, with COMMIT, savepoints and prepared statements pipelined by libpq.

A command whose result is not needed at once is queued. The queue is sent in the same round trip as the next prepared
statement or COMMIT, and before a query of Django's. SAVEPOINT and RELEASE are always queued; a statement is when its
author says so, and no longer than to the next savepoint. The server executes all commands in the order in which they
were queued, so they mean the same; only an error is raised later, by the next command that is executed. What is still
queued when the transaction or the savepoint is rolled back is never sent at all, and a process that dies has not sent
its COMMIT either.

A statement that takes the server a while can be started: it is sent at once, and its result is read by the next round
trip, so that the server and we work at the same time.

Between the lock of a wallet and COMMIT every round trip is time in which nobody else may move that wallet's money.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final, cast

from django.db import DEFAULT_DB_ALIAS, DatabaseError, InternalError, connections
from django.db import Error as DjangoError
from django.db.backends.postgresql import base
from psycopg import Error
from psycopg.abc import Buffer
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.types.datetime import TimestamptzLoader

from fintech_core.libpq import Command, checked, run_pipeline, start_pipeline

# A server from which nothing comes any more is given up after seconds, not after TCP's quarter of an hour.
TCP_TIMEOUTS: Final = {"tcp_user_timeout": 20_000, "keepalives_idle": 10, "keepalives_interval": 5}
# A prepared statement of the session is of no use any more: a table's column has another type now ("cached plan must
# not change result type", feature_not_supported), or a pooler has discarded it (invalid_sql_statement_name). A new
# session prepares it again.
LOST_STATEMENT_SQLSTATES: Final = frozenset({"0A000", "26000"})


class InstantLoader(TimestamptzLoader):
    """Read an instant by Python's own parser, several times as fast as psycopg's; that one reads what is left."""

    timezone = UTC  # Django registers its own on each cursor of a connection that is in another zone

    def load(self, data: Buffer) -> datetime:
        """Return it, aware, with the offset that the server wrote: UTC."""
        try:
            return datetime.fromisoformat(str(data, "ascii"))
        except ValueError:
            return super().load(data)


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection to PostgreSQL."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._queue: list[Command] = []
        self._in_flight: list[Command] = []
        self.execute_wrappers.append(self._sync_then_execute)

    def execute(self, command: Command) -> PGresult:
        """Send the queue and the command in one round trip; return the command's result.

        Raises Django's database errors, of any of them and of what is in flight.
        """
        self._run_pipeline([*self._queue, command])
        return command.require_result()

    def enqueue(self, command: Command) -> None:
        """Queue a command, to be sent in the next round trip of this transaction."""
        self._queue.append(command)

    def start(self, command: Command) -> None:
        """Send the queue and the command, and go on while the server works; the next round trip raises errors."""
        with self._closed_if_interrupted(), self.wrap_database_errors:
            self._in_flight = start_pipeline(self.connection, [*self._queue, command], self._in_flight)
            self._queue = []

    def sync_pipeline(self) -> None:
        """Send what is queued and read all results, if there are any to come. Raises Django's database errors."""
        if self._queue or self._in_flight:
            self._run_pipeline(self._queue)

    def _run_pipeline(self, commands: list[Command]) -> None:
        with self._closed_if_interrupted(), self.wrap_database_errors:
            try:
                run_pipeline(self.connection, commands, self._in_flight)
            except Error as error:
                if error.sqlstate in LOST_STATEMENT_SQLSTATES:
                    self.close_at = 0.0  # Django looks at it when the request or the task ends
                raise
            finally:
                self._in_flight, self._queue = [], []

    @contextmanager
    def _closed_if_interrupted(self) -> Iterator[None]:
        """Close psycopg's connection where anything but a database error interrupts what is done here.

        The queue may be lost then, and a transaction that lacks a part must not be committed: COMMIT fails aloud. The
        connection of Django's stays open, since it passes over COMMIT on one that was closed within a transaction.
        """
        try:
            yield
        except DjangoError:
            raise
        except BaseException:
            if self.connection is not None:
                self.connection.close()
            raise

    def _drain_in_flight(self) -> None:
        """Read the results of what is in flight and drop its errors: what it belongs to is rolled back."""
        if self._in_flight:
            with suppress(DjangoError):
                self._run_pipeline([])

    def is_usable(self) -> bool:
        """Say whether the server still answers."""
        if self.connection is None:
            return False
        server = self.connection.pgconn
        try:
            checked(server, server.exec_(b"SELECT 1"))
        except Error:
            return False
        return True

    def get_connection_params(self) -> dict[str, Any]:
        """Return what a connection is opened with; the settings have the last word."""
        given: dict[str, Any] = super().get_connection_params()
        return {**TCP_TIMEOUTS, **given}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Open a connection, and let instants be read there by a loader of ours."""
        connection = super().get_new_connection(conn_params)
        connection.adapters.register_loader("timestamptz", InstantLoader)
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        """Make a cursor, which may send something by itself; what is queued comes first."""
        self.validate_thread_sharing()
        self.sync_pipeline()
        return super().create_cursor(name)

    def connect(self) -> None:
        """Open the connection; nothing is queued for a new one."""
        self._clear_pipeline()
        super().connect()

    def close(self) -> None:
        """Close the connection; what is queued is never sent."""
        self.validate_thread_sharing()
        self._clear_pipeline()
        super().close()

    def _clear_pipeline(self) -> None:
        self._queue.clear()
        self._in_flight.clear()

    def _sync_then_execute(
        self, execute: Callable[..., Any], statement: str, values: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        self.sync_pipeline()
        return execute(statement, values, many, context)

    def _set_autocommit(self, autocommit: bool) -> None:
        self.sync_pipeline()  # so that psycopg knows of the transaction that is open
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # the stubs forget both

    def _commit(self) -> None:
        """Send the queue and COMMIT in one round trip, if anything was begun or is queued.

        Raises Django's database errors: InternalError, too, where the server rolled back because an earlier error was
        passed over. Whatever else interrupts the wait closes the connection, and the outcome is unknown.
        """
        is_begun = self.connection is not None and self._status() != TransactionStatus.IDLE
        if not is_begun and self._is_only_control_queued():
            self._queue.clear()
            return
        self._log("COMMIT")
        try:
            result = self.execute(Command(b"COMMIT"))
        except DatabaseError:
            raise
        except BaseException:
            self.close()
            raise
        if result.command_status != b"COMMIT":
            raise InternalError("nothing was committed: the transaction had failed before")

    def _rollback(self) -> None:
        self._queue.clear()
        self._drain_in_flight()
        super()._rollback()  # type: ignore[misc]

    def _savepoint(self, sid: str) -> None:
        """Queue SAVEPOINT, statements before it synced: who passes over errors in it must not meet earlier ones."""
        if self._in_flight or not self._is_only_control_queued():
            self.sync_pipeline()
        self._enqueue_control(self.ops.savepoint_create_sql(sid))

    def _savepoint_commit(self, sid: str) -> None:
        """Queue RELEASE; after an error that was passed over it fails at once, and Django goes back."""
        self._enqueue_control(self.ops.savepoint_commit_sql(sid))
        if self._status() == TransactionStatus.INERROR:
            self.sync_pipeline()

    def _savepoint_rollback(self, sid: str) -> None:
        """Go back to the savepoint; where it is still queued nothing has happened since.

        Where there is nothing to go back to any more the connection is closed, so that COMMIT fails aloud. An error
        here would let Django roll back by itself when the transaction ends, and say nothing at all.
        """
        made = self.ops.savepoint_create_sql(sid).encode()
        queued = [command.text for command in self._queue]
        text = self.ops.savepoint_rollback_sql(sid)
        self._log(text)
        if made in queued:
            del self._queue[queued.index(made) + 1 :]
        else:
            self._queue.clear()
            self._drain_in_flight()
            try:
                self.execute(Command(text.encode()))
            except DjangoError:
                if self._status() not in (TransactionStatus.UNKNOWN, TransactionStatus.INERROR):
                    raise
                self.connection.close()

    def _status(self) -> TransactionStatus:
        """Return how the server sees the transaction, as far as results were read; UNKNOWN without a connection."""
        if self.connection is None or self.connection.closed:
            return TransactionStatus.UNKNOWN
        return TransactionStatus(self.connection.pgconn.transaction_status)

    def _is_only_control_queued(self) -> bool:
        return all(command.is_control for command in self._queue)

    def _enqueue_control(self, text: str) -> None:
        self._log(text)
        self.enqueue(Command(text.encode()))

    def _log(self, text: str) -> None:
        if self.queries_logged:
            self.queries_log.append({"sql": text, "time": ""})


def default_database() -> DatabaseWrapper:
    """Return this thread's connection to the default database."""
    return cast(DatabaseWrapper, connections[DEFAULT_DB_ALIAS])
