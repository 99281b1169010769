"""Django's PostgreSQL engine, with COMMIT, savepoints and the question whether a connection lives sent by libpq itself.

All stand on the path of every request that moves money: its work runs in a savepoint. Through a cursor, SAVEPOINT and
RELEASE took a twelfth of the web process's time for a transfer, several times what the server needs for them.
"""

from django.db.backends.postgresql import base
from psycopg import Error
from psycopg.pq import TransactionStatus

from fintech_core.libpq import begin, checked


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection to PostgreSQL."""

    def is_usable(self) -> bool:
        """Say whether the server still answers."""
        if self.connection is None:
            return False
        try:
            self._run("SELECT 1")
        except Error:
            return False
        return True

    def _commit(self) -> None:
        """Commit what was begun, if anything was. Raises Django's database errors."""
        if self.connection is None or self.connection.pgconn.transaction_status == TransactionStatus.IDLE:
            return
        self._log("COMMIT")
        with self.wrap_database_errors:
            self._run("COMMIT")

    def _savepoint(self, sid: str) -> None:
        self._tell(self.ops.savepoint_create_sql(sid))

    def _savepoint_commit(self, sid: str) -> None:
        self._tell(self.ops.savepoint_commit_sql(sid))

    def _savepoint_rollback(self, sid: str) -> None:
        self._tell(self.ops.savepoint_rollback_sql(sid))

    def _tell(self, command: str) -> None:
        """Run a command in the open transaction. Raises Django's database errors."""
        self._log(command)
        with self.wrap_database_errors:
            begin(self.connection)
            self._run(command)

    def _log(self, command: str) -> None:
        if self.queries_logged:
            self.queries_log.append({"sql": command, "time": ""})

    def _run(self, command: str) -> None:
        server = self.connection.pgconn
        checked(server, server.exec_(command.encode()))
