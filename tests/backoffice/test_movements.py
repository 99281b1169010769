"""What staff see of transactions, how one is reversed, and the switch for outgoing money."""

from decimal import Decimal

import pytest
from django.db import transaction as db
from pytest_django import Settings
from waffle.models import Switch

from fintech_core import clock
from fintech_core.models import AuditRecord
from tests.backoffice.conftest import Queries
from tests.backoffice.desks import REASON, address, books, clerk, press, told
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from transactions import switches
from transactions.errors import MoneyOutPaused
from transactions.models import Adjustment, LedgerAccount, LedgerEntry, ParkedCredit, Transaction, Undoing
from transactions.services import TransactionService
from wallet.models import Wallet
from wallet.services import freeze_wallet

pytestmark = pytest.mark.django_db
VIEW, REVERSE = "transactions.view_transaction", "transactions.reverse_transaction"
REFUND = "transactions.refund_transaction"
ENTRIES, SWITCH = "transactions.view_ledgerentry", "transactions.switch_money_out"


def send(sender: Wallet, recipient: Wallet, amount: str, reference: str = "") -> Transaction:
    with db.atomic():
        return TransactionService.transfer_money(
            sender=sender, recipient=recipient, amount=Decimal(amount), reference=reference, now=clock.now()
        )


@pytest.fixture
def sent() -> Transaction:
    """A transfer of 400 out of 1,500."""
    ada, bola = UserFactory(kyc_tier=2), UserFactory()
    fund(ada, "1500.00")
    return send(main_wallet(ada), main_wallet(bola), "400.00")


class TestPages:
    def test_a_movement_is_shown_with_its_entries_as_a_t(self, sent: Transaction) -> None:
        page = clerk(VIEW, ENTRIES).get(address(Transaction, "change", sent.pk))
        shown = page.content.decode()
        assert page.status_code == 200
        assert sent.reference in shown
        for entry in sent.entries.all():
            assert f"NGN {entry.wallet_balance_after:,.2f}" in shown
        assert shown.count("customer_wallets NGN") == 2

    def test_the_entries_need_a_permission_of_their_own(self, sent: Transaction) -> None:
        page = clerk(VIEW).get(address(Transaction, "change", sent.pk))
        assert page.status_code == 200
        assert "customer_wallets NGN" not in page.content.decode()

    @pytest.mark.parametrize("term", ["{reference}", "{id}", "{sender}", "{receiver}", " {reference} "])
    def test_a_movement_is_found_by_what_people_know_of_it(self, sent: Transaction, term: str) -> None:
        other = fund(UserFactory(), "7.00")
        term = term.format(
            reference=sent.reference,
            id=sent.pk,
            sender=sent.from_user.email,
            receiver=sent.to_user.email.upper(),
        )
        shown = clerk(VIEW).get(address(Transaction, "changelist"), {"q": term}).content.decode()
        assert sent.reference in shown
        assert other.reference not in shown

    def test_a_reference_that_two_senders_gave_shows_both_with_their_names(self, sent: Transaction) -> None:
        ada, bola = sent.from_user, sent.to_user
        for sender, receiver in ((ada, bola), (bola, ada)):
            send(main_wallet(sender), main_wallet(receiver), "3.00", reference="rent/11")
        shown = clerk(VIEW).get(address(Transaction, "changelist"), {"q": "rent/11"}).content.decode()
        assert shown.count(">rent/11<") == 2
        assert shown.count(ada.email) == shown.count(bola.email) >= 2
        assert sent.reference not in shown

    @pytest.mark.parametrize("term", ["nobody@example.com", "TXN-NONE", "x" * 200, "%"])
    def test_what_does_not_exist_is_not_found(self, sent: Transaction, term: str) -> None:
        page = clerk(VIEW).get(address(Transaction, "changelist"), {"q": term})
        assert (page.status_code, sent.reference in page.content.decode()) == (200, False)

    @pytest.mark.parametrize(
        ("model", "permission"),
        [(Transaction, VIEW), (LedgerEntry, ENTRIES)],
        ids=["transactions", "entries"],
    )
    def test_no_list_counts_the_table_or_asks_for_each_row(
        self, sent: Transaction, queries: Queries, model: type[Transaction], permission: str
    ) -> None:
        client, path = clerk(permission), address(model, "changelist")
        client.get(path)
        few = len(queries)
        client.get(path)
        before = len(queries) - few
        for _ in range(5):
            fund(UserFactory(), "1.00")
        few = len(queries)
        assert client.get(path).status_code == 200
        assert len(queries) - few == before
        assert queries.counts_of(model._meta.db_table) == []

    @pytest.mark.parametrize("model", [Transaction, LedgerEntry, LedgerAccount, ParkedCredit])
    def test_5_02_not_even_a_superuser_edits_the_books(
        self, sent: Transaction, model: type[Transaction]
    ) -> None:
        frozen = main_wallet(sent.to_user)
        freeze_wallet(wallet_id=frozen.pk, actor=UserFactory(is_staff=True), reason="x")
        fund(sent.to_user, "5.00")
        client = clerk(superuser=True)
        row = model.objects.order_by("pk").first()
        assert row is not None
        before = books()
        assert client.get(address(model, "change", row.pk)).status_code == 200
        assert (
            client.post(address(model, "change", row.pk), {"amount": "1", "status": "failed"}).status_code
            == 403
        )
        assert client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        assert client.post(address(model, "add"), {"amount": "1"}).status_code == 403
        assert books() == before


class TestReversing:
    def test_the_mirror_is_booked_with_the_reason(self, sent: Transaction) -> None:
        assert press(clerk(VIEW, REVERSE), address(Transaction, "reverse", sent.pk)).status_code == 200
        mirror = Transaction.objects.get(reverses=sent)
        assert (mirror.type, mirror.status, mirror.amount) == ("reversal", "completed", Decimal(400))
        assert main_wallet(sent.from_user).balance == Decimal(1500)
        assert main_wallet(sent.to_user).balance == 0
        assert AuditRecord.objects.get(action="transaction.reversed").reason == REASON

    def test_opening_the_dialog_changes_nothing(self, sent: Transaction) -> None:
        before = books()
        path = address(Transaction, "reverse", sent.pk)
        assert clerk(VIEW, REVERSE).get(f"{path}?_form_submitted=on&reason=x").status_code == 200
        assert books() == before

    def test_5_01_looking_is_no_right_to_reverse(self, sent: Transaction) -> None:
        before = books()
        assert press(clerk(VIEW, SWITCH), address(Transaction, "reverse", sent.pk)).status_code == 403
        assert books() == before

    def test_a_second_time_is_refused_and_told(self, sent: Transaction) -> None:
        client, path = clerk(VIEW, REVERSE), address(Transaction, "reverse", sent.pk)
        press(client, path)
        told(client)
        before = books()
        press(client, path)
        assert "It was reversed before." in told(client)
        assert books() == before

    def test_money_that_is_spent_does_not_come_back(self, sent: Transaction) -> None:
        send(main_wallet(sent.to_user), main_wallet(UserFactory()), "300.00")
        client = clerk(VIEW, REVERSE)
        before = books()
        press(client, address(Transaction, "reverse", sent.pk))
        assert books() == before
        assert "The transaction is reversed." not in told(client)

    def test_it_is_offered_where_there_is_something_to_reverse(self, sent: Transaction) -> None:
        client = clerk(VIEW, REVERSE)

        def is_offered(row: Transaction) -> bool:
            return "/reverse/" in client.get(address(Transaction, "change", row.pk)).content.decode()

        assert is_offered(sent)
        press(client, address(Transaction, "reverse", sent.pk))
        assert not is_offered(sent)
        assert not is_offered(Transaction.objects.get(reverses=sent))


class TestRefunding:
    def test_a_part_and_then_the_rest_with_the_reason(self, sent: Transaction) -> None:
        client, path = clerk(VIEW, REFUND), address(Transaction, "refund", sent.pk)
        press(client, path, amount=" 150.00 ")
        assert "The refund is booked." in told(client)
        press(client, path)
        amounts = Transaction.objects.filter(refund_of=sent).order_by("pk").values_list("amount", flat=True)
        assert list(amounts) == [150, 250]
        assert main_wallet(sent.from_user).balance == Decimal(1500)
        assert set(
            AuditRecord.objects.filter(action="transaction.refunded").values_list("reason", flat=True)
        ) == {REASON}
        assert "/refund/" not in client.get(address(Transaction, "change", sent.pk)).content.decode()

    @pytest.mark.parametrize("amount", ["400.01", "0", "-1", "1.001", "many", "1e2"])
    def test_what_is_no_part_of_it_is_refused_and_told(self, sent: Transaction, amount: str) -> None:
        client, before = clerk(VIEW, REFUND), books()
        press(client, address(Transaction, "refund", sent.pk), amount=amount)
        assert told(client)
        assert books() == before

    def test_5_01_looking_or_reversing_is_no_right_to_refund(self, sent: Transaction) -> None:
        before = books()
        assert press(clerk(VIEW, REVERSE), address(Transaction, "refund", sent.pk)).status_code == 403
        assert books() == before

    @pytest.mark.parametrize(("dialog", "right"), [("reverse", "REVERSE"), ("refund", "REFUND")])
    def test_a_shortfall_needs_a_permission_of_its_own(
        self, sent: Transaction, dialog: str, right: str
    ) -> None:
        send(main_wallet(sent.to_user), main_wallet(UserFactory()), "300.00")
        permission = {"REVERSE": REVERSE, "REFUND": REFUND}[right]
        path, before = address(Transaction, dialog, sent.pk), books()
        assert press(clerk(VIEW, permission), path, book_shortfall="on").status_code == 403
        assert books() == before
        press(clerk(VIEW, permission, "transactions.book_shortfall"), path, book_shortfall="on")
        assert main_wallet(sent.from_user).balance == Decimal(1500)
        assert LedgerEntry.objects.get(account__code="receivables").amount == 300


class TestUndoingByTwo:
    DECIDE = ("transactions.view_undoing", "transactions.decide_undoing")

    @pytest.fixture(autouse=True)
    def hundred_alone(self, settings: Settings) -> None:
        settings.SECOND_PERSON_ABOVE = {"NGN": Decimal(100)}

    @pytest.mark.parametrize(("verb", "right"), [("reverse", REVERSE), ("refund", REFUND)])
    def test_one_asks_and_another_books(self, sent: Transaction, verb: str, right: str) -> None:
        maker, checker = clerk(VIEW, right, *self.DECIDE), clerk(*self.DECIDE)
        press(maker, address(Transaction, verb, sent.pk))
        assert "somebody else has to book it" in told(maker)
        request = Undoing.objects.get()
        listed = checker.get(address(Undoing, "changelist")).content.decode()
        assert sent.reference in listed
        assert "NGN 400.00" in listed
        page, dialog = address(Undoing, "change", request.pk), address(Undoing, "book", request.pk)
        assert dialog not in maker.get(page).content.decode()
        assert dialog in checker.get(page).content.decode()
        press(maker, dialog)
        assert "somebody else decides" in told(maker)
        assert main_wallet(sent.from_user).balance == 1100
        press(checker, dialog)
        assert "It is booked." in told(checker)
        assert main_wallet(sent.from_user).balance == 1500

    def test_another_rejects(self, sent: Transaction) -> None:
        press(clerk(VIEW, REVERSE), address(Transaction, "reverse", sent.pk))
        request = Undoing.objects.get()
        press(clerk(*self.DECIDE), address(Undoing, "reject", request.pk))
        request.refresh_from_db()
        assert (request.status, main_wallet(sent.from_user).balance) == ("rejected", 1100)

    @pytest.mark.parametrize("verb", ["book", "reject"])
    def test_nobody_decides_without_the_permission(self, sent: Transaction, verb: str) -> None:
        press(clerk(VIEW, REVERSE), address(Transaction, "reverse", sent.pk))
        request, before = Undoing.objects.get(), books()
        other = clerk("transactions.view_undoing", "transactions.decide_adjustment", REVERSE)
        assert press(other, address(Undoing, verb, request.pk)).status_code == 403
        assert press(other, address(Adjustment, verb, request.pk)).status_code == 404
        assert books() == before


class TestMoneyOut:
    @pytest.fixture(autouse=True)
    def _forget(self) -> None:
        switches.forget()

    def test_it_is_stopped_and_resumed_with_reasons(self, django_capture_on_commit_callbacks: object) -> None:
        client = clerk(VIEW, SWITCH)
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            press(client, address(Transaction, "stop_money_out"))
        with pytest.raises(MoneyOutPaused):
            switches.require_money_out()
        assert "Outgoing money is stopped." in told(client)
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            press(client, address(Transaction, "resume_money_out"))
        switches.require_money_out()
        actions = AuditRecord.objects.order_by("id").values_list("action", "reason")
        assert list(actions) == [("money_out.stopped", REASON), ("money_out.resumed", REASON)]

    @pytest.mark.parametrize("dialog", ["stop_money_out", "resume_money_out"])
    def test_5_01_it_needs_a_permission_and_a_post(self, dialog: str) -> None:
        path = address(Transaction, dialog)
        assert press(clerk(VIEW, REVERSE), path).status_code == 403
        assert clerk(VIEW, SWITCH).get(f"{path}?_form_submitted=on&reason=x").status_code == 200
        assert not Switch.objects.exists()
        assert not AuditRecord.objects.exists()

    def test_only_what_is_next_is_offered(self) -> None:
        client = clerk(VIEW, SWITCH)

        def offered() -> str:
            return client.get(address(Transaction, "changelist")).content.decode()

        assert "/stop_money_out/" in offered()
        assert "/resume_money_out/" not in offered()
        press(client, address(Transaction, "stop_money_out"))
        assert "/resume_money_out/" in offered()
        assert "/stop_money_out/" not in offered()

    def test_the_plain_form_of_switches_does_not_turn_it(self) -> None:
        press(clerk(VIEW, SWITCH), address(Transaction, "stop_money_out"))
        switch, client = Switch.objects.get(), clerk(superuser=True)
        sent = {"name": switch.name, "note": "mine"}
        assert client.post(address(Switch, "change", switch.pk), sent).status_code == 403
        switch.refresh_from_db()
        assert switch.active

    def test_the_plain_form_does_not_make_it_either(self) -> None:
        client = clerk(superuser=True)
        page = client.post(address(Switch, "add"), {"name": switches.MONEY_OUT_STOPPED, "active": "on"})
        assert "asks for the reason" in page.content.decode()
        assert not Switch.objects.exists()
        client.post(address(Switch, "add"), {"name": "another", "active": "on"})
        assert Switch.objects.get().name == "another"
