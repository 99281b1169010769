"""Statements that are prepared: composed once by us, planned once by PostgreSQL.

Django composes the SQL of a query anew each time and sends the values inside its text, so the server parses and plans
it anew, too. For a read by key all that takes several times as long as the read. What stands on the path of every money
movement goes through here instead; the rest of the code has no need of it.
"""

from fintech_core.prepared.rows import PendingRow, PreparedInsert, PreparedRead
from fintech_core.prepared.statements import Parameters, PendingResult, Statement, as_array, as_json_rows

__all__ = [
    "Parameters",
    "PendingResult",
    "PendingRow",
    "PreparedInsert",
    "PreparedRead",
    "Statement",
    "as_array",
    "as_json_rows",
]
