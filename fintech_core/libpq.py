"""Talking to PostgreSQL below the cursors of psycopg, on one of its connections.

A cursor waits in steps that Python can interrupt, and prepares, adapts and looks up for every statement. Where a fixed
statement runs many times in a second, that is most of what it costs the client.
"""

import select
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import Buffer, PGconn, PGresult


def is_begin_due(connection: "psycopg.Connection[Any]") -> bool:
    """Say whether psycopg would begin a transaction before its next statement.

    It has the session's own isolation level; the project never asks psycopg for another.
    """
    return connection.pgconn.transaction_status == TransactionStatus.IDLE and not connection.autocommit


def begin(connection: "psycopg.Connection[Any]") -> None:
    """Begin the transaction that psycopg would begin before its next statement, if there is none yet."""
    if is_begin_due(connection):
        checked(connection.pgconn, connection.pgconn.exec_(b"BEGIN"))


def begin_with(
    connection: "psycopg.Connection[Any]", key: bytes, values: Sequence[Buffer | None], answer: Format
) -> PGresult:
    """Send BEGIN and a prepared statement together and return the statement's result: one round trip instead of two.

    Raises psycopg's errors. A connection that is left before all was heard is closed: what it still has to say is
    nobody's answer.
    """
    server = connection.pgconn
    try:
        server.enter_pipeline_mode()
        server.send_query_params(b"BEGIN", None)
        server.send_query_prepared(key, values, result_format=answer)
        server.pipeline_sync()
        begun, result = _heard(server)
        server.exit_pipeline_mode()
    except BaseException:
        connection.close()
        raise
    checked(server, begun)
    return checked(server, result)


def _heard(server: PGconn) -> Iterator[PGresult]:
    """Yield the results of what was sent, up to the end of the pipeline; the waits let other threads run."""
    poll = select.poll()
    poll.register(server.socket, select.POLLIN | select.POLLOUT)
    while server.flush():
        poll.poll()
        server.consume_input()
    poll.modify(server.socket, select.POLLIN)
    while True:
        while server.is_busy():
            poll.poll()
            server.consume_input()
        result = server.get_result()
        if result is None:
            _require_connection(server)
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            return
        yield result


def checked(server: PGconn, result: PGresult) -> PGresult:
    """Return a result that is no error; raise psycopg's error otherwise."""
    if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        return result
    _require_connection(server)
    raise psycopg.errors.error_from_result(result)


def _require_connection(server: PGconn) -> None:
    if server.status == ConnStatus.BAD:
        raise psycopg.OperationalError(f"the connection is lost: {server.get_error_message()}")
