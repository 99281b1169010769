"""Talking to PostgreSQL below the cursors of psycopg, on one of its connections.

A cursor waits in steps that Python can interrupt, and prepares, adapts and looks up for every statement. Where a fixed
statement runs many times in a second, that is most of what it costs the client.
"""

from typing import Any

import psycopg
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult


def begin(connection: "psycopg.Connection[Any]") -> None:
    """Begin the transaction that psycopg would begin before its next statement, if there is none yet.

    It has the session's own isolation level; the project never asks psycopg for another.
    """
    server = connection.pgconn
    if server.transaction_status == TransactionStatus.IDLE and not connection.autocommit:
        checked(server, server.exec_(b"BEGIN"))


def checked(server: PGconn, result: PGresult) -> PGresult:
    """Return a result that is no error; raise psycopg's error otherwise."""
    if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        return result
    if server.status == ConnStatus.BAD:
        raise psycopg.OperationalError(f"the connection is lost: {server.get_error_message()}")
    raise psycopg.errors.error_from_result(result)
