"""What passes between a client and PostgreSQL, message by message, as libpq writes it down."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.db import connection
from psycopg.pq.abc import PGconn


@dataclass(frozen=True, slots=True)
class Wire:
    """The messages of one connection since somebody began to listen, a line for each."""

    server: PGconn
    path: Path
    file: BinaryIO

    def trace(self) -> str:
        """Return all that has passed so far."""
        self.server.untrace()  # which lets go of what it holds back
        self.server.trace(self.file.fileno())
        return self.path.read_text()

    def round_trips(self, *, from_value: str = "") -> int:
        """Count how often the client has waited for the server, from the first time that it sent this value on."""
        lines = self.trace().splitlines()
        sent = [number for number, line in enumerate(lines) if "\tF\t" in line and from_value in line]
        return sum("ReadyForQuery" in line for line in lines[sent[0] :]) if sent else 0


@contextmanager
def listening(folder: Path) -> Iterator[Wire]:
    """Listen to Django's connection, which is open, for a while."""
    server, path = connection.connection.pgconn, folder / "messages"
    with path.open("ab") as file:
        server.trace(file.fileno())
        try:
            yield Wire(server, path, file)
        finally:
            server.untrace()
