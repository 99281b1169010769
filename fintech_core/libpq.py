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
class Message:
    """One thing to say to the server, and what it answered.

    A command has only a text; a statement has values for its ``$1``, ``$2``, and a key where it is prepared: planned
    once in a session, and known there by its key. A lesson is what makes it known.
    """

    text: bytes
    values: "Sequence[Buffer | None] | None" = None
    key: bytes = b""
    answer: Format = Format.TEXT
    is_lesson: bool = False
    result: PGresult | None = None

    @property
    def is_command(self) -> bool:
        """Whether it has no values and no answer: COMMIT, SAVEPOINT and the like."""
        return self.values is None

    def heard(self) -> PGresult:
        """Return what was answered; raises LookupError while nothing was."""
        if self.result is None:
            raise LookupError(f"nothing was answered yet to {self.text!r}")
        return self.result

    def run(self, server: PGconn) -> PGresult:
        """Send it and wait for its result; the wait lets other threads run."""
        if self.values is None:
            return server.exec_(self.text)
        if not self.key:
            return server.exec_params(self.text, self.values, result_format=self.answer)
        return server.exec_prepared(
            self.key,
            self.values,  # type: ignore[arg-type]  # None is NULL here, too; the stub forgets it
            result_format=self.answer,
        )

    def send(self, server: PGconn) -> None:
        """Send it as a part of a pipeline."""
        if self.is_lesson:
            server.send_prepare(self.key, self.text)
        elif self.key and self.values is not None:
            server.send_query_prepared(self.key, self.values, result_format=self.answer)
        else:
            server.send_query_params(self.text, self.values, result_format=self.answer)


# The keys of the statements that each session with a server knows.
_known: "WeakKeyDictionary[psycopg.Connection[Any], set[bytes]]" = WeakKeyDictionary()


def converse(
    connection: "psycopg.Connection[Any]", messages: Sequence[Message], under_way: Sequence[Message]
) -> None:
    """Say all of it in one round trip, and let each message know its result, those under way first.

    The server takes one after the other, and nothing more after the first that fails. A transaction is begun where
    psycopg would begin one, and what the session does not know yet is taught to it right before. Raises psycopg's
    error of the first that failed. A connection that is left before all was heard is closed: what it still has to say
    is nobody's answer.
    """
    server = connection.pgconn
    said = _completed(connection, messages, under_way)
    if len(said) == 1 and not under_way:
        said[0].result = checked(server, said[0].run(server))
        return
    try:
        if said:
            _hand_over(server, said)
        heard = [*under_way, *said]
        results = list(_heard(server, len(heard)))
        server.exit_pipeline_mode()
        # Here, since a session that knows more than it is thought to could not be taught that any more.
        _known.setdefault(connection, set()).update(
            message.key
            for message, result in zip(heard, results, strict=True)
            if message.is_lesson and result.status == ExecStatus.COMMAND_OK
        )
    except BaseException:
        connection.close()
        raise
    for message, result in zip(heard, results, strict=True):
        message.result = checked(server, result)


def start(
    connection: "psycopg.Connection[Any]", messages: Sequence[Message], under_way: Sequence[Message]
) -> list[Message]:
    """Say all of it without waiting for an answer; return what is under way now, to be heard by ``converse``.

    It waits only until the server has taken it, so the server works while we do. Nothing but ``converse`` and this may
    use the connection meanwhile.
    """
    said = _completed(connection, messages, under_way)
    try:
        _hand_over(connection.pgconn, said)
    except BaseException:
        connection.close()
        raise
    return [*under_way, *said]


def _completed(
    connection: "psycopg.Connection[Any]", messages: Sequence[Message], under_way: Sequence[Message]
) -> list[Message]:
    """Add what has to be said besides: a BEGIN that is due, and what the session does not know yet."""
    known = _known.get(connection, set()) | {message.key for message in under_way if message.is_lesson}
    said = list(_with_lessons(messages, known))
    if not under_way and _is_begin_due(connection):
        said.insert(0, Message(b"BEGIN"))
    return said


def _with_lessons(messages: Sequence[Message], known: Container[bytes]) -> Iterator[Message]:
    """Put a lesson before the first message with each key that is not known."""
    taught: set[bytes] = set()
    for message in messages:
        if message.key and message.key not in known and message.key not in taught:
            taught.add(message.key)
            yield Message(message.text, key=message.key, is_lesson=True)
        yield message


def _is_begin_due(connection: "psycopg.Connection[Any]") -> bool:
    """Say whether psycopg would begin a transaction before its next statement.

    It has the session's own isolation level; the project never asks psycopg for another.
    """
    return connection.pgconn.transaction_status == TransactionStatus.IDLE and not connection.autocommit


def _hand_over(server: PGconn, messages: Sequence[Message]) -> None:
    """Send messages as a part of a pipeline, until the server has taken all; the waits let other threads run."""
    server.enter_pipeline_mode()
    for message in messages:
        message.send(server)
    server.pipeline_sync()
    poll = select.poll()
    poll.register(server.socket, select.POLLIN | select.POLLOUT)
    while server.flush():
        poll.poll()
        server.consume_input()


def _heard(server: PGconn, count: int) -> Iterator[PGresult]:
    """Yield so many results, over the ends of as many parts as they were sent in; the waits let other threads run."""
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
