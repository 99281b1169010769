"""The hook of the model itself: nothing that reaches PostgreSQL passes it by."""

from typing import Any

import pytest
from django.db import transaction

from fintech_core.prepared import Statement
from tests.transactions.model import stops
from users.models import User


class Recording:
    """Writes down what it is called for."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def before(self, statement: str, connection: Any) -> None:
        self.heard.append(statement.split()[0])

    def committed(self, connection: Any) -> None:
        self.heard.append("committed")


@pytest.mark.usefixtures("committed_db")
class TestHook:
    def test_it_hears_queries_prepared_statements_and_commits(self) -> None:
        hook = Recording()
        with stops.installed(), stops.hooked(hook):
            with transaction.atomic():
                User.objects.exists()
                with transaction.atomic():
                    Statement("VALUES (1)").rows()
            with transaction.atomic():
                """Nothing is begun, so nothing is committed."""
            with transaction.atomic():
                Statement("TABLE users_user").start()
            User.objects.exists()
        begun = ["SELECT", "VALUES", "COMMIT", "committed", "TABLE", "COMMIT", "committed"]
        assert hook.heard == [*begun, "SELECT"]

    def test_it_hears_nothing_of_who_has_none(self) -> None:
        hook = Recording()
        with stops.installed():
            with stops.hooked(hook):
                """This thread has one for a moment."""
            with transaction.atomic():
                User.objects.exists()
        assert hook.heard == []
