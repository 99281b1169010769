"""Prepared statements: what Django's own reads give, without composing them anew."""

import gc
import threading
import time
import weakref
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError
from django.db.utils import DataError, IntegrityError, OperationalError
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from fintech_core import clock
from fintech_core.models import IdempotencyRecord
from fintech_core.prepared import PreparedInsert, PreparedRead, Statement
from tests.databases import end_session
from tests.factories import UserFactory
from users.models import User
from wallet.models import Wallet

SAMPLE = UUID(int=1)


def by_id(pk: UUID) -> "QuerySet[User]":
    return User.objects.filter(pk=pk)


@pytest.mark.django_db
class TestPreparedRead:
    def test_gives_the_row_that_django_gives(self) -> None:
        ada = UserFactory(phone="+2348031234567")
        found = PreparedRead(by_id, pk=SAMPLE).first(pk=ada.pk)
        stored = User.objects.get(pk=ada.pk)
        assert found is not None
        assert {field.attname: getattr(found, field.attname) for field in User._meta.concrete_fields} == {
            field.attname: getattr(stored, field.attname) for field in User._meta.concrete_fields
        }
        found.first_name = "Bola"
        found.save()
        assert User.objects.get(pk=ada.pk).first_name == "Bola"

    @pytest.mark.parametrize(
        "at",
        [datetime(2026, 11, 22, 8, 31, 51, 123456, UTC), datetime(2026, 1, 1, tzinfo=UTC),
         datetime(2026, 1, 1, 0, 0, 0, 500_000, UTC), datetime(1, 1, 1, tzinfo=UTC), None],
    )  # fmt: skip
    def test_an_instant_comes_back_as_django_gives_it(self, at: datetime | None) -> None:
        ada = UserFactory(last_login=at)
        found = PreparedRead(by_id, pk=SAMPLE).first(pk=ada.pk)
        assert found is not None
        assert repr(found.last_login) == repr(User.objects.get(pk=ada.pk).last_login) == repr(at)

    def test_an_instant_that_python_has_no_word_for_is_an_error_of_the_data(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 'infinity'::timestamptz")
            with pytest.raises(DataError):
                cursor.fetchone()

    def test_gives_each_value_its_own_row_or_none(self) -> None:
        ada, bola = UserFactory(), UserFactory()
        read = PreparedRead(by_id, pk=SAMPLE)
        assert [read.first(pk=pk) for pk in (ada.pk, bola.pk, uuid4(), ada.pk)] == [ada, bola, None, ada]

    def test_brings_related_rows_along(self) -> None:
        ada = UserFactory()
        read = PreparedRead(
            lambda owner: Wallet.objects.select_related("owner").filter(owner_id=owner), owner=SAMPLE
        )
        with CaptureQueriesContext(connection) as queries:
            found = read.first(owner=ada.pk)
            assert found is not None
            assert found.owner == ada
        assert len(queries) == 1

    def test_converts_what_a_field_converts(self) -> None:
        IdempotencyRecord.objects.create(
            user_id=SAMPLE, operation="a", key="k", fingerprint="f", response_status=200, response_body="secret",
            created_at=clock.now(),
        )  # fmt: skip
        read = PreparedRead(lambda key: IdempotencyRecord.objects.filter(key=key), key="a sample")
        found = read.first(key="k")
        assert found is not None
        assert found.response_body == "secret"

    def test_a_value_is_a_value_and_no_sql(self) -> None:
        UserFactory(email="ada@example.com")
        read = PreparedRead(lambda email: User.objects.filter(email=email), email="a sample")
        assert read.first(email="' OR true --") is None

    @pytest.mark.parametrize("values", [{}, {"id": SAMPLE}, {"pk": SAMPLE, "email": "x"}])
    def test_a_place_without_value_and_a_value_without_place_are_refused(
        self, values: dict[str, UUID | str]
    ) -> None:
        with pytest.raises(TypeError, match="the places are"):
            PreparedRead(by_id, pk=SAMPLE).first(**values)

    def test_a_sample_that_the_query_does_not_hold_is_refused(self) -> None:
        read = PreparedRead(lambda pk: User.objects.exclude(first_name=f"{pk}"), pk=SAMPLE)
        with pytest.raises(ImproperlyConfigured, match="not every sample"):
            read.first(pk=SAMPLE)


@pytest.mark.django_db
class TestStatement:
    def test_a_name_that_stands_twice_is_one_value_and_two_percent_signs_are_one(self) -> None:
        statement = Statement("SELECT %(b)s::text, %(a)s::int %% 4, %(b)s::text")
        assert statement.rows({"a": 7, "b": "x"}) == [("x", 3, "x")]

    def test_values_without_names_go_in_by_their_order(self) -> None:
        assert Statement("SELECT %s::int - %s::int").row([7, 2]) == (5,)

    @pytest.mark.parametrize("binary", [False, True])
    @pytest.mark.parametrize("prepared", [False, True])
    def test_every_type_of_the_ledger_comes_back_as_it_went(
        self, settings: Settings, binary: bool, prepared: bool
    ) -> None:
        settings.PREPARED_STATEMENTS = prepared
        moment = datetime(2026, 11, 21, 15, 59, 12, 949630, tzinfo=UTC)
        values = [
            SAMPLE,
            "naïra '%s'",
            Decimal("-12.3400"),
            2**40,
            True,
            None,
            moment,
            moment.date(),
            [SAMPLE, UUID(int=2)],
        ]
        types = ("uuid", "text", "numeric", "bigint", "bool", "text", "timestamptz", "date", "uuid[]")
        statement = Statement("SELECT " + ", ".join(f"%s::{name}" for name in types), binary=binary)
        assert [statement.row(values) for _ in range(3)] == [tuple(values)] * 3

    def test_a_statement_without_rows_gives_none(self) -> None:
        statement = Statement("SELECT 1 WHERE false")
        assert (statement.rows(), statement.row()) == ([], None)

    def test_a_session_prepares_it_once_and_keeps_it_after_a_rollback(self) -> None:
        statement = Statement("SELECT 'prepared once' || %s::text")
        with transaction.atomic():
            statement.row(["a"])
            transaction.set_rollback(True)
        assert statement.row(["b"]) == ("prepared onceb",)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%''prepared once''%'"
            )
            assert cursor.fetchone() == (1,)

    def test_it_is_counted_among_the_queries(self) -> None:
        with CaptureQueriesContext(connection) as queries:
            Statement("SELECT %s::int").row([1])
        assert [query["sql"] for query in queries] == ["SELECT %s::int"]


@pytest.mark.django_db
class TestPreparedInsert:
    FIELDS = ("user_id", "operation", "key", "fingerprint", "response_status", "response_body", "created_at")

    def row(self, **changes: object) -> dict[str, object]:
        row = {"user_id": SAMPLE, "operation": "a", "key": "k", "fingerprint": "f", "created_at": clock.now()}
        return {**row, "response_status": 200, "response_body": "secret", **changes}

    def test_writes_what_django_reads(self) -> None:
        insert = PreparedInsert(IdempotencyRecord, *self.FIELDS, "document_kind")
        row = self.row(document_kind="")
        insert.queue(**row)
        stored = IdempotencyRecord.objects.get()
        assert {name: getattr(stored, name) for name in row} == row

    def test_refuses_what_the_database_refuses(self) -> None:
        insert = PreparedInsert(IdempotencyRecord, *self.FIELDS, "document_kind")
        insert.queue(**self.row(document_kind=""))
        assert IdempotencyRecord.objects.count() == 1
        with pytest.raises(IntegrityError), transaction.atomic():
            insert.queue(**self.row(document_kind="")).rows()
        assert IdempotencyRecord.objects.count() == 1

    def test_needs_every_value_and_takes_no_other(self) -> None:
        insert = PreparedInsert(IdempotencyRecord, *self.FIELDS)
        with pytest.raises(KeyError):
            insert.queue(user_id=SAMPLE)
        with pytest.raises(TypeError, match="document_kind"):
            insert.queue(**self.row(document_kind=""))


class TestInATransaction:
    @pytest.mark.usefixtures("committed_db")
    def test_a_read_that_locks_needs_one(self) -> None:
        ada = UserFactory()
        read = PreparedRead(lambda pk: User.objects.select_for_update().filter(pk=pk), pk=SAMPLE)
        with transaction.atomic():
            assert read.first(pk=ada.pk) == ada
        with pytest.raises(TransactionManagementError):
            read.first(pk=ada.pk)

    @pytest.mark.django_db
    def test_a_broken_one_takes_no_statement(self) -> None:
        with transaction.atomic():
            transaction.set_rollback(True)
            with pytest.raises(TransactionManagementError):
                PreparedRead(by_id, pk=SAMPLE).first(pk=SAMPLE)

    @pytest.mark.django_db
    def test_what_the_database_refuses_is_an_error_of_django(self) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            Statement("INSERT INTO users_user DEFAULT VALUES").rows()

    @pytest.mark.usefixtures("committed_db")
    def test_it_is_part_of_the_transaction(self) -> None:
        with transaction.atomic():
            Statement("UPDATE users_user SET first_name = %s WHERE id = %s").rows(["Bola", UserFactory().pk])
            transaction.set_rollback(True)
        assert not User.objects.filter(first_name="Bola").exists()

    @pytest.mark.usefixtures("committed_db")
    def test_a_connection_that_was_closed_is_let_go(self) -> None:
        """Each that was replaced stayed in memory for good, kept by what was remembered of it."""
        assert Statement("SELECT 1").row() == (1,)
        closed = weakref.ref(connection.connection)
        connection.close()
        assert Statement("SELECT 1").row() == (1,)
        gc.collect()
        assert closed() is None

    @pytest.mark.usefixtures("committed_db")
    def test_other_threads_go_on_while_it_waits(self) -> None:
        passed: list[float] = []
        done = threading.Event()

        def tick() -> None:
            while not done.wait(0.01):
                passed.append(time.monotonic())

        other = threading.Thread(target=tick)
        other.start()
        Statement("SELECT pg_sleep(%s)").rows([0.5])
        done.set()
        other.join()
        assert len(passed) > 5

    @pytest.mark.usefixtures("committed_db")
    def test_a_session_that_is_ended_meanwhile_is_an_error_of_the_connection(self) -> None:
        statement = Statement("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(5)")
        with pytest.raises(OperationalError), transaction.atomic():
            statement.rows()
        connection.close_if_unusable_or_obsolete()
        assert Statement("SELECT 1").rows() == [(1,)]

    @pytest.mark.usefixtures("committed_db")
    def test_a_connection_that_has_died_is_replaced_as_at_any_request(self) -> None:
        ada = UserFactory()
        read = PreparedRead(by_id, pk=SAMPLE)
        assert read.first(pk=ada.pk) == ada
        backend = connection.connection.info.backend_pid
        end_session(backend)
        connection.close_if_unusable_or_obsolete()  # what the next request does first
        assert read.first(pk=ada.pk) == ada
        assert connection.connection.info.backend_pid != backend

    @pytest.mark.usefixtures("committed_db")
    def test_postgresql_keeps_its_plan(self) -> None:
        ada = UserFactory()
        read = PreparedRead(lambda pk: User.objects.filter(pk=pk).order_by("phone"), pk=SAMPLE)
        for _ in range(12):
            read.first(pk=ada.pk)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE '%ORDER BY%phone%'"
            )
            assert [row[0] > 0 for row in cursor.fetchall()] == [True]
