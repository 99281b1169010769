"""Talking to PostgreSQL below the cursors of psycopg, on one of its connections.

A cursor waits in steps that Python can interrupt, and prepares, adapts and looks up for every statement. Where a fixed
statement runs many times in a second, that is most of what it costs the client.
"""

import select
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import Buffer, PGconn, PGresult


@dataclass(slots=True, eq=False)
class Command:
    """One command for the server, and its result once that was read.

    Transaction control has only a text; a statement has values for its ``$1``, ``$2``, and a name where it is prepared:
    parsed and planned once in a session. ``is_prepare`` marks the command that prepares it.
    """

    text: bytes
    values: "Sequence[Buffer | None] | None" = None
    name: bytes = b""
    result_format: Format = Format.TEXT
    is_prepare: bool = False
    result: PGresult | None = None

    @property
    def is_control(self) -> bool:
        """Whether it is transaction control, without values and rows: COMMIT, SAVEPOINT and the like."""
        return self.values is None

    def require_result(self) -> PGresult:
        """Return the result; raises LookupError while there is none."""
        if self.result is None:
            raise LookupError(f"there is no result yet of {self.text!r}")
        return self.result

    def execute(self, server: PGconn) -> PGresult:
        """Send it and wait for its result, outside of a pipeline; the wait lets other threads run."""
        if self.values is None:
            return server.exec_(self.text)
        if not self.name:
            return server.exec_params(self.text, self.values, result_format=self.result_format)
        return server.exec_prepared(
            self.name,
            self.values,  # type: ignore[arg-type]  # None is NULL here, too; the stub forgets it
            result_format=self.result_format,
        )

    def send(self, server: PGconn) -> None:
        """Send it as a part of a pipeline."""
        if self.is_prepare:
            server.send_prepare(self.name, self.text)
        elif self.name and self.values is not None:
            server.send_query_prepared(self.name, self.values, result_format=self.result_format)
        else:
            server.send_query_params(self.text, self.values, result_format=self.result_format)


# The names of the statements that are prepared in each session.
_prepared: "WeakKeyDictionary[psycopg.Connection[Any], set[bytes]]" = WeakKeyDictionary()


def run_pipeline(
    connection: "psycopg.Connection[Any]", commands: Sequence[Command], in_flight: Sequence[Command]
) -> None:
    """Send the commands, sync, and store the results of those in flight and of these, all in one round trip.

    The server executes them in order, and skips all after the first that fails. BEGIN is sent where psycopg would send
    it, and a statement that the session has not prepared is prepared right before its first use. Raises psycopg's error
    of the first that failed. A connection is closed where this is left before all results were read: the next command
    would take them for its own.
    """
    server = connection.pgconn
    sent = _with_prerequisites(connection, commands, in_flight)
    if len(sent) == 1 and not in_flight:
        sent[0].result = checked(server, sent[0].execute(server))
        return
    try:
        if sent:
            _send_and_flush(server, sent)
        answered = [*in_flight, *sent]
        results = list(_read_results(server, len(answered)))
        server.exit_pipeline_mode()
        # Here, since to prepare a statement again under the same name is an error.
        _prepared.setdefault(connection, set()).update(
            command.name
            for command, result in zip(answered, results, strict=True)
            if command.is_prepare and result.status == ExecStatus.COMMAND_OK
        )
    except BaseException:
        connection.close()
        raise
    for command, result in zip(answered, results, strict=True):
        command.result = checked(server, result)


def start_pipeline(
    connection: "psycopg.Connection[Any]", commands: Sequence[Command], in_flight: Sequence[Command]
) -> list[Command]:
    """Send the commands without reading results; return all that are in flight now, for ``run_pipeline`` to read.

    It waits only until all is flushed to the server, which executes it while we go on. Nothing but ``run_pipeline`` and
    this may use the connection meanwhile.
    """
    sent = _with_prerequisites(connection, commands, in_flight)
    try:
        _send_and_flush(connection.pgconn, sent)
    except BaseException:
        connection.close()
        raise
    return [*in_flight, *sent]


def _with_prerequisites(
    connection: "psycopg.Connection[Any]", commands: Sequence[Command], in_flight: Sequence[Command]
) -> list[Command]:
    """Add a BEGIN that is due, and prepare what the session has not prepared yet."""
    prepared = _prepared.get(connection, set()) | {
        command.name for command in in_flight if command.is_prepare
    }
    complete = list(_with_prepares(commands, prepared))
    if not in_flight and _is_begin_due(connection):
        complete.insert(0, Command(b"BEGIN"))
    return complete


def _with_prepares(commands: Sequence[Command], prepared: Container[bytes]) -> Iterator[Command]:
    """Prepare each named statement before its first use, unless the session has."""
    added: set[bytes] = set()
    for command in commands:
        if command.name and command.name not in prepared and command.name not in added:
            added.add(command.name)
            yield Command(command.text, name=command.name, is_prepare=True)
        yield command


def _is_begin_due(connection: "psycopg.Connection[Any]") -> bool:
    """Say whether psycopg would begin a transaction before its next statement.

    It has the session's own isolation level; the project never asks psycopg for another.
    """
    return connection.pgconn.transaction_status == TransactionStatus.IDLE and not connection.autocommit


def _send_and_flush(server: PGconn, commands: Sequence[Command]) -> None:
    """Send commands and a sync in pipeline mode, and flush until all is sent; the waits let other threads run."""
    server.enter_pipeline_mode()
    for command in commands:
        command.send(server)
    server.pipeline_sync()
    poll = select.poll()
    poll.register(server.socket, select.POLLIN | select.POLLOUT)
    while server.flush():
        poll.poll()
        server.consume_input()


def _read_results(server: PGconn, count: int) -> Iterator[PGresult]:
    """Yield so many results, then read on to the last sync point; the waits let other threads run."""
    poll = select.poll()
    poll.register(server.socket, select.POLLIN)
    while True:
        while server.is_busy():
            poll.poll()
            server.consume_input()
        result = server.get_result()
        if result is None:
            _require_connection(server)
        elif result.status != ExecStatus.PIPELINE_SYNC:
            count -= 1
            yield result
        elif count <= 0:
            return


def checked(server: PGconn, result: PGresult) -> PGresult:
    """Return a result that is no error; raise psycopg's error otherwise."""
    if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        return result
    _require_connection(server)
    raise psycopg.errors.error_from_result(result)


def _require_connection(server: PGconn) -> None:
    if server.status == ConnStatus.BAD:
        raise psycopg.OperationalError(f"the connection is lost: {server.get_error_message()}")
