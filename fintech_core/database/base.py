"""Django's PostgreSQL engine, with COMMIT, savepoints and prepared statements sent by libpq itself, and in company.

What needs no answer at once is not sent at once: it waits for what is said next. It goes with a prepared statement or
COMMIT in one round trip, and before a query of Django's. SAVEPOINT and RELEASE always wait; a statement does when its
author says so, and no longer than to the next savepoint. The server takes all of it in the order in which it was said,
so it means the same; only an error is told later, by what is said next. What waits when the transaction or the
savepoint is rolled back is never sent at all, and a process that dies has not sent its COMMIT either.

What takes the server a while can be started: it is sent at once, and its answer is heard with what is said next, so
that the server and we work at the same time.

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

from fintech_core.libpq import Message, checked, converse, start

# A server from which nothing comes any more is given up after seconds, not after TCP's quarter of an hour.
HEARD_FROM: Final = {"tcp_user_timeout": 20_000, "keepalives_idle": 10, "keepalives_interval": 5}
# The session has lost what it learnt: a table's column has another type now ("cached plan must not change result
# type", feature_not_supported), or a pooler has discarded it (invalid_sql_statement_name). A new one learns it anew.
FORGOTTEN: Final = frozenset({"0A000", "26000"})


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
        self._waiting: list[Message] = []
        self._under_way: list[Message] = []
        self.execute_wrappers.append(self._after_what_waits)

    def say(self, message: Message) -> PGresult:
        """Send what waits and the message in one round trip; return what was answered to the message.

        Raises Django's database errors, of any of them and of what is under way.
        """
        self._converse([*self._waiting, message])
        return message.heard()

    def say_with_next(self, message: Message) -> None:
        """Let a message wait for what is said next in this transaction."""
        self._waiting.append(message)

    def start(self, message: Message) -> None:
        """Send what waits and the message, and go on while the server works; errors are raised by what is next."""
        with self._unbroken(), self.wrap_database_errors:
            self._under_way = start(self.connection, [*self._waiting, message], self._under_way)
            self._waiting = []

    def say_what_waits(self) -> None:
        """Send what waits, and hear what is under way, if anything is. Raises Django's database errors."""
        if self._waiting or self._under_way:
            self._converse(self._waiting)

    def _converse(self, messages: list[Message]) -> None:
        with self._unbroken(), self.wrap_database_errors:
            try:
                converse(self.connection, messages, self._under_way)
            except Error as error:
                if error.sqlstate in FORGOTTEN:
                    self.close_at = 0.0  # Django looks at it when the request or the task ends
                raise
            finally:
                self._under_way, self._waiting = [], []

    @contextmanager
    def _unbroken(self) -> Iterator[None]:
        """Close psycopg's connection where anything but a database error breaks off what is done here.

        What waits may be lost then, and a transaction that lacks a part must not be committed: COMMIT fails aloud. The
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

    def _give_up_what_is_under_way(self) -> None:
        """Hear it to its end, whatever it says: what it belongs to is rolled back."""
        if self._under_way:
            with suppress(DjangoError):
                self._converse([])

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
        return {**HEARD_FROM, **given}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Open a connection, and let instants be read there by a loader of ours."""
        connection = super().get_new_connection(conn_params)
        connection.adapters.register_loader("timestamptz", InstantLoader)
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        """Make a cursor, which may send something by itself; what waits comes first."""
        self.validate_thread_sharing()
        self.say_what_waits()
        return super().create_cursor(name)

    def connect(self) -> None:
        """Open the connection; nothing waits for a new one."""
        self._forget()
        super().connect()

    def close(self) -> None:
        """Close the connection; what waits was never said."""
        self.validate_thread_sharing()
        self._forget()
        super().close()

    def _forget(self) -> None:
        self._waiting.clear()
        self._under_way.clear()

    def _after_what_waits(
        self, execute: Callable[..., Any], statement: str, values: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        self.say_what_waits()
        return execute(statement, values, many, context)

    def _set_autocommit(self, autocommit: bool) -> None:
        self.say_what_waits()  # so that psycopg knows of the transaction that is open
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # the stubs forget both

    def _commit(self) -> None:
        """Commit what was begun, with what waits, if there is anything.

        Raises Django's database errors: InternalError, too, where the server rolled back because an earlier error was
        passed over. Whatever else breaks the wait off closes the connection, and the outcome is unknown.
        """
        is_begun = self.connection is not None and self._status() != TransactionStatus.IDLE
        if not is_begun and self._only_commands_wait():
            self._waiting.clear()
            return
        self._log("COMMIT")
        try:
            result = self.say(Message(b"COMMIT"))
        except DatabaseError:
            raise
        except BaseException:
            self.close()
            raise
        if result.command_status != b"COMMIT":
            raise InternalError("nothing was committed: the transaction had failed before")

    def _rollback(self) -> None:
        self._waiting.clear()
        self._give_up_what_is_under_way()
        super()._rollback()  # type: ignore[misc]

    def _savepoint(self, sid: str) -> None:
        """Let it wait, after what is no command: who passes over errors in a savepoint must not meet earlier ones."""
        if self._under_way or not self._only_commands_wait():
            self.say_what_waits()
        self._command(self.ops.savepoint_create_sql(sid))

    def _savepoint_commit(self, sid: str) -> None:
        """Let RELEASE wait; after an error that was passed over it fails at once, and Django goes back."""
        self._command(self.ops.savepoint_commit_sql(sid))
        if self._status() == TransactionStatus.INERROR:
            self.say_what_waits()

    def _savepoint_rollback(self, sid: str) -> None:
        """Go back to the savepoint; where it still waits nothing has happened since.

        Where there is nothing to go back to any more the connection is closed, so that COMMIT fails aloud. An error
        here would let Django roll back by itself when the transaction ends, and say nothing at all.
        """
        made = self.ops.savepoint_create_sql(sid).encode()
        waiting = [message.text for message in self._waiting]
        command = self.ops.savepoint_rollback_sql(sid)
        self._log(command)
        if made in waiting:
            del self._waiting[waiting.index(made) + 1 :]
        else:
            self._waiting.clear()
            self._give_up_what_is_under_way()
            try:
                self.say(Message(command.encode()))
            except DjangoError:
                if self._status() not in (TransactionStatus.UNKNOWN, TransactionStatus.INERROR):
                    raise
                self.connection.close()

    def _status(self) -> TransactionStatus:
        """Return how the server sees the transaction, as far as we have heard; UNKNOWN without a connection."""
        if self.connection is None or self.connection.closed:
            return TransactionStatus.UNKNOWN
        return TransactionStatus(self.connection.pgconn.transaction_status)

    def _only_commands_wait(self) -> bool:
        return all(message.is_command for message in self._waiting)

    def _command(self, command: str) -> None:
        self._log(command)
        self.say_with_next(Message(command.encode()))

    def _log(self, command: str) -> None:
        if self.queries_logged:
            self.queries_log.append({"sql": command, "time": ""})


def default_database() -> DatabaseWrapper:
    """Return this thread's connection to the default database."""
    return cast(DatabaseWrapper, connections[DEFAULT_DB_ALIAS])
