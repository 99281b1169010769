"""Fixtures of the back office."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backoffice import figures


class Queries(CaptureQueriesContext):
    """Every statement that was sent since the test began."""

    def counts_of(self, table: str) -> list[str]:
        """Return the statements that count a table's rows."""
        sent = [query["sql"] for query in self.captured_queries]
        return [sql for sql in sent if "COUNT(" in sql and f'FROM "{table}"' in sql]


@pytest.fixture
def queries(db: None) -> Iterator[Queries]:
    """What is asked of the database."""
    with Queries(connection) as captured:
        yield captured


@pytest.fixture(autouse=True)
def _fresh_figures() -> None:
    figures.forget()
