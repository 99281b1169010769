"""One key, one effect: under races, when COMMIT's answer is lost, when the process or the client is gone."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, connection, connections, transaction
from pytest_django import Settings

from fintech_core.exceptions import problem_handler
from fintech_core.idempotency import Answer, InProgress, Scope, run
from fintech_core.models import IdempotencyRecord
from fintech_core.prepared import Statement
from tests.concurrency.racing import DONE, balances, race, send
from tests.concurrency.wire import CUT_WHILE_IT_RUNS, LOSE_THE_ANSWER, LOSE_THE_REQUEST, wired
from tests.databases import owner_session
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from tests.users.parallel import run_in_process
from tests.waiting import until
from transactions.models import Transaction
from users.models import User

SLOW_COMMIT_S = 0.8

SEND = """
from decimal import Decimal
from django.db import transaction
from fintech_core import clock
from transactions.services import TransactionService
from wallet.models import Wallet

sender, recipient = (Wallet.objects.get(pk=pk) for pk in argument.split())
with transaction.atomic():
    TransactionService.transfer_money(sender=sender, recipient=recipient, amount=Decimal(40), now=clock.now())
"""


class Payment:
    """Ada sends Chidi ₦40 out of ₦100 under one key."""

    def __init__(self) -> None:
        self.ada: User = UserFactory()
        self.chidi: User = UserFactory()
        fund(self.ada, "100.00")
        self.source, self.target = main_wallet(self.ada), main_wallet(self.chidi)
        key = str(uuid4())
        self.scope = Scope.of(user_id=self.ada.pk, operation="transfer", key=key, body={"amount": "40.00"})
        self.ran = 0

    def work(self) -> Answer:
        """Send the money."""
        self.ran += 1
        sent = send(self.source, self.target, "40.00")
        return Answer(201, {"id": str(sent.pk)}, document=("transaction", sent.pk))

    def pay(self) -> Answer:
        """Send it under the key."""
        return run(self.scope, self.work)

    def assert_done_once(self, answer: Answer) -> None:
        """Assert that the money moved once and that this is the answer to it."""
        assert balances(self.ada, self.chidi) == [60, 40]
        sent = Transaction.objects.get(from_user=self.ada)
        assert (answer.status, answer.body) == (201, {"id": str(sent.pk)})
        assert IdempotencyRecord.objects.filter(user_id=self.ada.pk).count() == 1

    def assert_nothing_happened(self) -> None:
        """Assert that no money moved and the key is free."""
        assert balances(self.ada, self.chidi) == [100, 0]
        assert not IdempotencyRecord.objects.filter(user_id=self.ada.pk).exists()


@contextmanager
def slow_commits() -> Iterator[None]:
    """Let every COMMIT that stores an answer take a while."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM pg_sleep({SLOW_COMMIT_S}); RETURN NULL; END $$"
        )
        cursor.execute(
            "CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON fintech_core_idempotencyrecord "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow_commit()"
        )
        try:
            yield
        finally:
            cursor.execute("DROP FUNCTION slow_commit CASCADE")


class TestOneKey:
    def test_20_parallel_requests_have_one_effect_and_one_answer(self) -> None:
        payment, answers, told = Payment(), [], []

        def pay(_: int) -> None:
            for _attempt in range(100):
                try:
                    answers.append(payment.pay())
                    return
                except InProgress as busy:
                    told.append((busy.status, busy.retryable, busy.retry_after_s))
                    time.sleep(0.05)

        assert race(20, pay) == {DONE: 20}
        assert payment.ran == 1
        assert set(told) <= {(409, True, 1)}
        assert len({(answer.status, answer.body["id"]) for answer in answers}) == 1
        payment.assert_done_once(answers[0])

    def test_a_refusal_by_rule_is_the_answer_for_good(self) -> None:
        payment = Payment()
        send(payment.source, payment.target, "70.00")
        first, second = payment.pay(), payment.pay()
        assert (first.status, first.body["code"]) == (422, "insufficient_funds")
        assert (second.status, second.body["code"], second.replayed) == (422, "insufficient_funds", True)
        assert balances(payment.ada) == [30]


class TestRefused:
    """A refusal is stored after its work was rolled back; the key is nobody's in between."""

    @pytest.fixture
    def poor(self) -> Payment:
        """A payment that Ada cannot afford until somebody gives her more."""
        payment = Payment()
        send(payment.source, payment.target, "70.00")
        return payment

    def test_who_had_the_key_in_between_has_the_last_word(
        self, poor: Payment, tmp_path: Path, settings: Settings
    ) -> None:
        settings.CRASH_POINTS_DIR = str(tmp_path)
        pause = tmp_path / "idempotency.refused.pause"
        pause.touch()
        told: list[Answer] = []
        first = threading.Thread(target=lambda: told.append(closing(poor.pay)))
        first.start()
        until((tmp_path / "idempotency.refused.reached").exists)
        fund(poor.ada, "10.00")
        second = poor.pay()
        pause.unlink()
        first.join(10)
        assert (second.status, second.replayed) == (201, False)
        assert [(answer.status, answer.body, answer.replayed) for answer in told] == [
            (201, second.body, True)
        ]
        assert (poor.ran, balances(poor.ada, poor.chidi)) == (2, [0, 110])

    def test_nothing_of_its_work_stays_but_the_answer(self, poor: Payment) -> None:
        def refused() -> Answer:
            send(poor.source, poor.target, "30.00")
            return poor.work()

        answer = run(poor.scope, refused)
        assert (answer.status, answer.body["code"]) == (422, "insufficient_funds")
        assert balances(poor.ada, poor.chidi) == [30, 70]
        assert run(poor.scope, refused).replayed

    def test_where_the_answer_cannot_be_stored_the_key_stays_free(self, poor: Payment) -> None:
        with wired() as wire:
            wire.cut = LOSE_THE_REQUEST
            with pytest.raises((OperationalError, InterfaceError)):
                poor.pay()
        assert balances(poor.ada) == [30]
        assert not IdempotencyRecord.objects.filter(user_id=poor.ada.pk).exists()
        assert poor.pay().status == 422


class TestLostCommit:
    """Whether it was done is looked up by the key; it is never run again blindly."""

    def test_w3_lesson_9_a_lost_answer_is_found_by_the_key(self) -> None:
        payment = Payment()
        with wired() as wire:
            wire.cut = LOSE_THE_ANSWER
            answer = payment.pay()
            assert wire.cuts == 1
        assert (payment.ran, answer.replayed) == (1, True)
        payment.assert_done_once(answer)

    def test_w3_a_lost_commit_is_an_error_and_the_same_key_runs(self) -> None:
        payment = Payment()
        with wired() as wire:
            wire.cut = LOSE_THE_REQUEST
            with pytest.raises((OperationalError, InterfaceError)):
                payment.pay()
            payment.assert_nothing_happened()
            payment.assert_done_once(payment.pay())

    def test_w3_a_commit_that_still_runs_is_waited_for(self) -> None:
        payment = Payment()
        with slow_commits(), wired() as wire:
            wire.cut = CUT_WHILE_IT_RUNS
            answer = payment.pay()
        assert (payment.ran, answer.replayed) == (1, True)
        payment.assert_done_once(answer)

    def test_w3_a_backend_killed_inside_commit_did_nothing(self) -> None:
        payment = Payment()
        with slow_commits():
            killer = threading.Thread(target=kill_who_commits)
            killer.start()
            with pytest.raises((OperationalError, InterfaceError)):
                payment.pay()
            killer.join(10)
        payment.assert_nothing_happened()
        payment.assert_done_once(payment.pay())


def closing(work: Callable[[], Answer]) -> Answer:
    """Work in a thread, which gives its connection back."""
    try:
        return work()
    finally:
        connections.close_all()


def kill_who_commits() -> None:
    """End the backend that sleeps inside COMMIT, as the owner."""
    given = connections["owner"].settings_dict
    wanted = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    parts = {key: given[name] for key, name in wanted.items() if given[name]}
    with psycopg.connect(psycopg.conninfo.make_conninfo("", **parts), autocommit=True) as session:
        for _ in range(200):
            killed = session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event = 'PgSleep' AND pid <> pg_backend_pid()"
            ).fetchall()
            if killed:
                return
            time.sleep(0.02)
    raise AssertionError("nobody committed")


class TestWhoIsGone:
    @pytest.mark.parametrize("point", ["ledger.locked", "ledger.written"])
    def test_w2_a_killed_process_leaves_no_lock_and_no_effect(self, tmp_path: Path, point: str) -> None:
        payment = Payment()
        (tmp_path / f"{point}.kill").touch()
        ended = run_in_process(SEND, f"{payment.source.pk} {payment.target.pk}", crash_points=tmp_path)
        assert ended.returncode == -9, ended.stderr
        payment.assert_nothing_happened()
        self.assert_free(payment)

    def test_lesson_23_a_client_that_leaves_in_the_middle_leaves_no_lock(self) -> None:
        payment = Payment()
        with wired() as wire:
            wire.cut = LOSE_THE_REQUEST
            with pytest.raises((OperationalError, InterfaceError)):
                send(payment.source, payment.target, "40.00")
        payment.assert_nothing_happened()
        self.assert_free(payment)

    @staticmethod
    def assert_free(payment: Payment) -> None:
        """Assert that nobody holds the wallet any more: sending needs no wait to speak of."""
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        try:
            payment.assert_done_once(payment.pay())
        finally:
            connection.close()


class TestBusy:
    def test_lesson_31_a_lock_timeout_is_busy_and_not_a_lack_of_money(self) -> None:
        payment = Payment()
        locked, done = threading.Event(), threading.Event()

        def hold_the_wallet(_: int) -> None:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    "SELECT 1 FROM wallet_wallet WHERE id = %s FOR NO KEY UPDATE", [payment.source.pk]
                )
                locked.set()
                assert done.wait(20)

        holder = threading.Thread(target=lambda: race(1, hold_the_wallet))
        holder.start()
        try:
            assert locked.wait(10)
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '200ms'")
            with pytest.raises(OperationalError) as refusal:
                payment.pay()
        finally:
            done.set()
            holder.join(10)
            connection.close()
        answer = problem_handler(refusal.value, {})
        assert answer is not None
        assert (answer.status_code, answer.data["code"], answer.data["retryable"]) == (503, "busy", True)
        assert answer["Retry-After"] == "1"
        payment.assert_nothing_happened()
        payment.assert_done_once(payment.pay())

    @pytest.mark.parametrize("told", ["at once", "with COMMIT"])
    @pytest.mark.parametrize(("failures", "runs"), [(1, 2), (2, 3)])
    def test_lesson_31_a_serialization_failure_runs_the_whole_again(
        self, failures: int, runs: int, told: str
    ) -> None:
        payment = Payment()

        def work() -> Answer:
            answer = payment.work()
            if payment.ran <= failures:
                fail_as("40001", at_once=told == "at once")
            return answer

        payment.assert_done_once(run(payment.scope, work))
        assert payment.ran == runs

    def test_lesson_31_the_third_serialization_failure_is_an_error_and_did_nothing(self) -> None:
        payment = Payment()

        def work() -> Answer:
            payment.work()
            fail_as("40001")
            raise AssertionError("unreachable")

        with pytest.raises(OperationalError):
            run(payment.scope, work)
        assert payment.ran == 3
        payment.assert_nothing_happened()

    def test_a_movement_that_the_database_refuses_at_commit_moved_nothing_and_leaves_the_key(self) -> None:
        """An ordinary transfer is written with its COMMIT; only a fault of ours lets the books refuse it."""
        payment = Payment()
        with owner_session() as owner:
            owner.execute(
                "ALTER TABLE transactions_transaction ADD CONSTRAINT planted CHECK (type <> 'transfer') NOT VALID"
            )
        with pytest.raises(IntegrityError, match="planted"):
            payment.pay()
        payment.assert_nothing_happened()
        with owner_session() as owner:
            owner.execute("ALTER TABLE transactions_transaction DROP CONSTRAINT planted")
        payment.assert_done_once(payment.pay())


def fail_as(sqlstate: str, *, at_once: bool = True) -> None:
    """Let PostgreSQL raise this error, now or in the next round trip."""
    failing = Statement(
        f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}', MESSAGE = 'planted'; END $$".encode()
    )
    result = failing.queue()
    if at_once:
        result.rows()
