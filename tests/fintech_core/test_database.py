"""The database engine: savepoints and the look at a connection, which go past Django's cursors."""

import pytest
from django.db import connection, transaction
from django.db.utils import DataError, OperationalError
from django.test.utils import CaptureQueriesContext

from tests.databases import end_session
from tests.factories import UserFactory
from users.models import User


@pytest.mark.usefixtures("committed_db")
class TestSavepoints:
    def test_what_comes_after_one_is_taken_back_alone(self) -> None:
        with transaction.atomic():
            kept = UserFactory()
            with transaction.atomic():
                UserFactory()
                transaction.set_rollback(True)
            with transaction.atomic():
                also_kept = UserFactory()
        assert set(User.objects.filter(is_staff=False)) == {kept, also_kept}

    def test_one_that_comes_first_begins_the_transaction(self) -> None:
        with transaction.atomic():
            with transaction.atomic():
                UserFactory()
            transaction.set_rollback(True)
        assert not User.objects.exists()

    def test_a_statement_that_failed_in_it_does_no_harm_outside(self) -> None:
        with transaction.atomic():
            with pytest.raises(DataError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
            UserFactory()
        assert User.objects.count() == 1

    def test_an_error_is_one_of_django(self) -> None:
        with pytest.raises(OperationalError, match="does not exist"), transaction.atomic():
            transaction.savepoint_commit("nobody_made_it")

    def test_a_session_that_has_ended_is_an_error_of_the_connection(self) -> None:
        def work() -> None:
            UserFactory()
            end_session(connection.connection.info.backend_pid)
            transaction.savepoint()

        with pytest.raises(OperationalError), transaction.atomic():
            work()
        connection.close_if_unusable_or_obsolete()
        assert not User.objects.exists()

    def test_they_are_counted_among_the_queries(self) -> None:
        with CaptureQueriesContext(connection) as queries, transaction.atomic(), transaction.atomic():
            """Nothing is asked."""
        told = [query["sql"].split()[0] for query in queries]
        assert told == ["BEGIN", "SAVEPOINT", "RELEASE", "COMMIT"]


@pytest.mark.usefixtures("committed_db")
class TestIsUsable:
    def test_while_the_server_answers(self) -> None:
        connection.ensure_connection()
        assert connection.is_usable()
        end_session(connection.connection.info.backend_pid)
        assert not connection.is_usable()
        connection.close()
        assert not connection.is_usable()
