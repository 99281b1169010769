"""Best-effort bulks: several processes at one of them, processes that die in it, and others' locks in its way."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection, transaction

from fintech_core import clock
from tests.concurrency.racing import DONE, balances, race, send
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.users.parallel import run_in_process
from transactions import switches
from transactions.enums import BulkStatus
from transactions.errors import BulkTransferFailed
from transactions.models import BulkTransfer, Transaction
from transactions.services import TransactionService, bulk
from transactions.services.bulk import Progress, accept, send_all, work_off, work_off_chunk
from transactions.services.bulk_items import BulkItem
from users.models import User
from wallet.services import freeze_wallet, open_wallet

FINISH = """
from transactions.services import bulk
bulk.finish(bulk_id=argument)
"""


def sender(amount: str = "1000.00") -> User:
    user = UserFactory()
    fund(user, amount)
    return user


def begun(ada: User, *items: BulkItem) -> BulkTransfer:
    """A bulk that was accepted and not worked on yet."""
    return accept(sender=ada, currency="NGN", items=items, now=clock.now())


def ones(*people: User, count: int) -> list[BulkItem]:
    """Transfers of 1.00 to everybody in turn."""
    return [BulkItem(people[number % len(people)].email, Decimal(1)) for number in range(count)]


def finish(made: BulkTransfer) -> BulkTransfer:
    work_off(bulk_id=made.pk, within_s=30, wait_for_others=True)
    made.refresh_from_db()
    return made


def failures(made: BulkTransfer) -> dict[int, str]:
    return dict(made.items.exclude(failure_code="").values_list("index", "failure_code"))


class TestTogether:
    def test_six_at_one_bulk_send_each_item_once(self) -> None:
        ada, chidi, bola = sender(), UserFactory(), UserFactory()
        made = begun(ada, *ones(chidi, bola, count=500))
        at_it = race(6, lambda _: work_off(bulk_id=made.pk, within_s=30, wait_for_others=True))
        made.refresh_from_db()
        assert at_it == {DONE: 6}
        assert (made.status, made.succeeded, made.failed) == (BulkStatus.COMPLETED, 500, 0)
        assert balances(ada, chidi, bola) == [500, 250, 250]

    def test_whoever_does_not_wait_leaves_it_to_the_one_who_works(self) -> None:
        ada, chidi = sender(), UserFactory()
        made = begun(ada, *ones(chidi, count=1))
        with transaction.atomic():
            BulkTransfer.objects.select_for_update().get(pk=made.pk)
            seen: list[Progress] = []

            def look() -> None:
                seen.append(work_off_chunk(bulk_id=made.pk, now=clock.now()))
                connection.close()

            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
        assert seen == [Progress.TAKEN]
        assert balances(ada, chidi) == [1000, 0]
        assert finish(made).succeeded == 1

    def test_bulks_in_both_directions_do_not_wait_for_each_other_in_a_ring(self) -> None:
        people = [sender() for _ in range(4)]

        def pay_all(number: int) -> None:
            me = people[number % 4]
            others = [person for person in people if person != me]
            items = ones(*others[:: 1 if number % 2 else -1], count=60)
            if number < 4:
                send_all(sender=me, currency="NGN", items=items, now=clock.now())
            else:
                made = begun(me, *items)
                work_off(bulk_id=made.pk, within_s=30, wait_for_others=True)

        assert race(8, pay_all) == {DONE: 8}
        assert balances(*people) == [1000] * 4

    def test_bulks_and_single_sends_together_take_no_more_than_there_is(self) -> None:
        ada, chidi = sender("100.00"), UserFactory()

        def spend(number: int) -> None:
            if number % 2:
                made = begun(ada, *ones(chidi, count=40))
                work_off(bulk_id=made.pk, within_s=30, wait_for_others=True)
                return
            for _ in range(10):
                send(main_wallet(ada), main_wallet(chidi), "1.00")

        outcomes = race(8, spend)
        assert sum(outcomes.values()) == 8
        assert balances(ada, chidi) == [0, 100]


class TestCrashes:
    def die(self, made: BulkTransfer, point: str, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / f"{point}.kill").touch()
        ended = run_in_process(FINISH, str(made.pk), crash_points=folder)
        assert ended.returncode == -9, ended.stderr
        made.refresh_from_db()

    @pytest.mark.parametrize("point", ["ledger.locked", "ledger.written", "bulk.chunk_booked"])
    def test_inside_a_chunk_nothing_of_it_happened(self, tmp_path: Path, point: str) -> None:
        ada, chidi = sender(), UserFactory()
        made = begun(ada, *ones(chidi, count=150))
        self.die(made, point, tmp_path / "points")
        assert (made.status, made.succeeded, balances(ada)) == (BulkStatus.PROCESSING, 0, [1000])
        assert finish(made).succeeded == 150
        assert balances(ada, chidi) == [850, 150]

    def test_between_two_chunks_the_first_stands_and_the_rest_is_done_later(self, tmp_path: Path) -> None:
        ada, chidi = sender(), UserFactory()
        made = begun(ada, *ones(chidi, count=250))
        for done in (100, 200):
            self.die(made, "bulk.between_chunks", tmp_path / "points")
            assert (made.status, made.succeeded, balances(ada)) == (
                BulkStatus.PROCESSING,
                done,
                [1000 - done],
            )
        assert finish(made).status == BulkStatus.COMPLETED
        assert (made.succeeded, made.next_check_at) == (250, None)
        assert Transaction.objects.filter(from_user=ada).count() == 250
        assert balances(ada, chidi) == [750, 250]

    def test_the_sweep_rings_for_what_was_left_and_only_for_that(self) -> None:
        ada, chidi = sender(), UserFactory()
        now = clock.now()
        begun(ada, *ones(chidi, count=1))
        finish(begun(ada, *ones(chidi, count=1)))
        assert bulk.sweep(now=now) == 0
        assert bulk.sweep(now=now + 2 * bulk.GRACE) >= 1


class TestReferences:
    """``inv-9`` is used by a transaction that commits half a second after somebody has begun to use it, too."""

    @contextmanager
    def used(self, by: User, currency: str = "NGN") -> Iterator[None]:
        ready = threading.Event()

        def use() -> None:
            with transaction.atomic():
                TransactionService.transfer_money(
                    sender=main_wallet(by, currency), recipient=main_wallet(self.other, currency),
                    amount=Decimal(5), reference="inv-9", now=clock.now(),
                )  # fmt: skip
                ready.set()
                threading.Event().wait(0.5)
            connection.close()

        self.other = UserFactory()
        if currency != "NGN":
            open_wallet(user=self.other, currency=currency)
        thread = threading.Thread(target=use)
        thread.start()
        assert ready.wait(10)
        yield
        thread.join()

    def items(self, receiver: User) -> list[BulkItem]:
        return [BulkItem(receiver.email, Decimal(1)), BulkItem(receiver.email, Decimal(2), reference="inv-9")]

    def test_one_that_the_sender_uses_meanwhile_refuses_its_item_alone(self) -> None:
        ada, chidi = sender(), UserFactory()
        made = begun(ada, *self.items(chidi))
        with self.used(by=ada):
            assert work_off_chunk(bulk_id=made.pk, now=clock.now()) is Progress.FINAL
        made.refresh_from_db()
        assert (made.succeeded, failures(made)) == (1, {1: "duplicate_reference"})
        assert balances(ada, chidi, self.other) == [994, 1, 5]

    @pytest.mark.parametrize("currency", ["NGN", "USD"])
    def test_all_or_nothing_told_of_no_item_which_one_was_used_meanwhile(self, currency: str) -> None:
        ada, chidi = sender(), UserFactory()
        if currency != "NGN":  # its wallet is another one, so that no lock keeps the two apart
            open_wallet(user=ada, currency=currency)
            fund(ada, "10.00", currency)
        with self.used(by=ada, currency=currency), pytest.raises(BulkTransferFailed) as refusal:
            send_all(sender=ada, currency="NGN", items=self.items(chidi), now=clock.now())
        codes = [result["failure"]["code"] for result in refusal.value.facts["results"]]
        assert codes == ["not_sent", "duplicate_reference"]
        assert main_wallet(self.other, currency).balance == 5
        assert balances(chidi) == [0]

    @pytest.mark.parametrize("together", [False, True])
    def test_one_that_somebody_else_uses_meanwhile_is_in_nobodys_way(self, together: bool) -> None:
        ada, bola, chidi = sender(), sender(), UserFactory()
        with self.used(by=bola):
            if together:
                made = send_all(sender=ada, currency="NGN", items=self.items(chidi), now=clock.now())
            else:
                made = finish(begun(ada, *self.items(chidi)))
        assert (made.succeeded, made.failed) == (2, 0)
        assert balances(ada, bola, chidi) == [997, 995, 3]

    def test_bulks_of_one_sender_with_the_same_references_send_each_once(self) -> None:
        ada, chidi = sender(), UserFactory()
        items = [BulkItem(chidi.email, Decimal(1), reference=f"pay/{number}") for number in range(120)]

        def pay_all(number: int) -> None:
            if number % 2:
                send_all(sender=ada, currency="NGN", items=items, now=clock.now())
            else:
                work_off(bulk_id=begun(ada, *items).pk, within_s=30, wait_for_others=True)

        outcomes = race(6, pay_all)
        assert outcomes[DONE] >= 3
        assert outcomes[DONE] + outcomes["bulk_transfer_failed"] == 6
        assert Transaction.objects.filter(from_user=ada).count() == 120
        assert balances(ada, chidi) == [880, 120]


class TestInTheWay:
    def test_a_wallet_that_stays_locked_fails_its_chunk_and_no_other(self) -> None:
        ada, chidi, stuck = sender(), UserFactory(), UserFactory()
        items = ones(chidi, count=100) + ones(stuck, count=1) + ones(chidi, count=99) + ones(chidi, count=50)
        made = begun(ada, *items)
        ready, done = threading.Event(), threading.Event()

        def hold() -> None:
            with transaction.atomic():
                type(main_wallet(stuck)).objects.select_for_update().get(pk=main_wallet(stuck).pk)
                ready.set()
                done.wait(30)
            connection.close()

        thread = threading.Thread(target=hold)
        thread.start()
        ready.wait(10)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '100ms'")
            finish(made)
        finally:
            connection.close()
            done.set()
            thread.join()
        assert (made.status, made.succeeded, made.failed) == (BulkStatus.COMPLETED, 150, 100)
        assert failures(made) == dict.fromkeys(range(100, 200), "wallets_busy")
        assert balances(ada, chidi, stuck) == [850, 150, 0]

    def test_a_freeze_between_chunks_stops_the_rest(self) -> None:
        ada, chidi, staff = sender(), UserFactory(), StaffFactory()
        made = begun(ada, *ones(chidi, count=130))
        work_off_chunk(bulk_id=made.pk, now=clock.now())
        freeze_wallet(wallet_id=main_wallet(ada).pk, actor=staff, reason="alert")
        assert (finish(made).succeeded, made.failed) == (100, 30)
        assert set(failures(made).values()) == {"wallet_frozen"}
        assert balances(ada, chidi) == [900, 100]

    def test_when_money_out_is_stopped_between_chunks_the_rest_is_refused_and_stays_so(self) -> None:
        ada, chidi, staff = sender(), UserFactory(), StaffFactory()
        made = begun(ada, *ones(chidi, count=130))
        work_off_chunk(bulk_id=made.pk, now=clock.now())
        switches.stop_money_out(actor=staff, reason="x")
        switches.forget()
        finish(made)
        switches.resume_money_out(actor=staff, reason="x")
        switches.forget()
        assert set(failures(made).values()) == {"money_out_paused"}
        assert (finish(made).succeeded, balances(ada, chidi)) == (100, [900, 100])
