"""Ledger entries of the past: the recorded time is the database's, so the tests give a session another clock.

A schema before ``pg_catalog`` in the session's search path holds a ``clock_timestamp()`` that goes back by a setting.
No trigger is switched off and no row is edited; the application's statements run as they are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg
import time_machine
from django.db import connection, connections

CLOCK = """
CREATE SCHEMA IF NOT EXISTS test_clock;
CREATE OR REPLACE FUNCTION test_clock.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql AS $$
    SELECT pg_catalog.clock_timestamp()
           + coalesce(nullif(current_setting('test_clock.shift', true), ''), '0')::interval
$$;
GRANT USAGE ON SCHEMA test_clock TO public;
"""


def as_owner() -> psycopg.Connection:
    """Open a session of the owner of the tables in the database of this process."""
    owner = connections["owner"].settings_dict
    given = {key: owner[key.upper()] for key in ("user", "password", "host", "port") if owner[key.upper()]}
    return psycopg.connect(dbname=connection.settings_dict["NAME"], autocommit=True, **given)


def install_clock() -> None:
    """Put the clock into the database of this process, as its owner."""
    with as_owner() as session:
        session.execute(CLOCK)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let the application and the database's session live at another moment; time goes on from there.

    Within the test's transaction only: at its end the session forgets it.
    """
    with time_machine.travel(moment, tick=True):
        _shift(
            "SELECT set_config('test_clock.shift', (%s - pg_catalog.clock_timestamp())::text, true)", [moment]
        )
        try:
            yield
        finally:
            _shift("SELECT set_config('test_clock.shift', '', true)", [])


def _shift(statement: str, parameters: list[datetime]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path = test_clock, pg_catalog, public")
        cursor.execute(statement, parameters)
