"""What staff see of wallets, and how they freeze and unfreeze one."""

from decimal import Decimal

import pytest

from fintech_core.models import AuditRecord
from notifications.models import Event
from tests.backoffice.conftest import Queries
from tests.backoffice.desks import REASON, address, books, clerk, press, told
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from wallet.models import Wallet
from wallet.services import freeze_wallet

pytestmark = pytest.mark.django_db
VIEW, FREEZE = "wallet.view_wallet", "wallet.freeze_wallet"


@pytest.fixture
def wallet() -> Wallet:
    """A wallet with money in it."""
    owner = UserFactory()
    fund(owner, "1500.00")
    return main_wallet(owner)


class TestPages:
    def test_the_list_shows_whose_money_it_is(self, wallet: Wallet) -> None:
        page = clerk(VIEW).get(address(Wallet, "changelist"))
        shown = page.content.decode()
        assert page.status_code == 200
        assert str(wallet.owner) in shown
        assert "NGN 1,500.00" in shown

    @pytest.mark.parametrize(
        ("term", "found"), [("{email}", True), ("nobody@example.com", False), ("é%_'", False)]
    )
    def test_a_wallet_is_found_by_the_whole_address(self, wallet: Wallet, term: str, found: bool) -> None:
        page = clerk(VIEW).get(address(Wallet, "changelist"), {"q": term.format(email=wallet.owner.email)})
        assert (page.status_code, "NGN 1,500.00" in page.content.decode()) == (200, found)

    def test_one_currency_is_kept(self, wallet: Wallet) -> None:
        client = clerk(VIEW)
        assert (
            "NGN 1,500.00" in client.get(address(Wallet, "changelist"), {"currency": "NGN"}).content.decode()
        )
        assert (
            "NGN 1,500.00"
            not in client.get(address(Wallet, "changelist"), {"currency": "USD"}).content.decode()
        )

    def test_the_list_does_not_count_the_table(self, wallet: Wallet, queries: Queries) -> None:
        assert clerk(VIEW).get(address(Wallet, "changelist")).status_code == 200
        assert queries.counts_of("wallet_wallet") == []

    @pytest.mark.parametrize("superuser", [True, False])
    def test_5_02_nobody_edits_a_balance(self, wallet: Wallet, superuser: bool) -> None:
        client = clerk(VIEW, FREEZE, "wallet.change_wallet", "wallet.delete_wallet", superuser=superuser)
        before = books()
        sent = {"balance": "9999999", "held": "0", "status": "active", "currency": "NGN"}
        assert client.post(address(Wallet, "change", wallet.pk), sent).status_code == 403
        assert client.post(address(Wallet, "delete", wallet.pk), {"post": "yes"}).status_code == 403
        assert client.post(address(Wallet, "add"), sent).status_code == 403
        assert books() == before


class TestStopping:
    @pytest.mark.parametrize(("dialog", "status"), [("freeze", "frozen"), ("no_debit", "no_debit")])
    def test_a_wallet_is_frozen_with_a_reason(self, wallet: Wallet, dialog: str, status: str) -> None:
        client = clerk(VIEW, FREEZE)
        assert press(client, address(Wallet, dialog, wallet.pk)).status_code == 200
        wallet.refresh_from_db()
        assert (wallet.status, wallet.balance) == (status, Decimal(1500))
        record = AuditRecord.objects.get(action="wallet.frozen")
        assert (record.reason, record.changes) == (REASON, {"status": ["active", status]})
        assert Event.objects.filter(type="wallet.frozen", user_id=wallet.owner_id).count() == 1

    def test_it_is_released_again(self, wallet: Wallet) -> None:
        freeze_wallet(wallet_id=wallet.pk, actor=UserFactory(is_staff=True), reason="x")
        press(clerk(VIEW, FREEZE), address(Wallet, "unfreeze", wallet.pk))
        wallet.refresh_from_db()
        assert wallet.status == "active"

    @pytest.mark.parametrize("dialog", ["freeze", "no_debit", "unfreeze"])
    def test_opening_a_dialog_changes_nothing(self, wallet: Wallet, dialog: str) -> None:
        before = books()
        path = address(Wallet, dialog, wallet.pk)
        assert clerk(VIEW, FREEZE).get(f"{path}?_form_submitted=on&reason=x").status_code == 200
        assert books() == before

    @pytest.mark.parametrize("dialog", ["freeze", "no_debit", "unfreeze"])
    def test_5_01_looking_is_no_right_to_freeze(self, wallet: Wallet, dialog: str) -> None:
        before = books()
        assert press(clerk(VIEW), address(Wallet, dialog, wallet.pk)).status_code == 403
        assert books() == before

    def test_without_a_reason_nothing_happens(self, wallet: Wallet) -> None:
        before = books()
        press(clerk(VIEW, FREEZE), address(Wallet, "freeze", wallet.pk), reason="   ")
        assert books() == before

    def test_a_refusal_is_told(self, wallet: Wallet) -> None:
        client = clerk(VIEW, FREEZE)
        before = books()
        press(client, address(Wallet, "unfreeze", wallet.pk))
        assert "A wallet that is active cannot become active." in told(client)
        assert books() == before

    def test_an_address_that_names_no_wallet_is_not_found(self, wallet: Wallet) -> None:
        client = clerk(VIEW, FREEZE)
        before = books()
        assert press(client, f"/admin/wallet/wallet/{wallet.owner.email}/freeze/").status_code == 404
        assert books() == before

    def test_only_what_the_status_allows_is_offered(self, wallet: Wallet) -> None:
        client = clerk(VIEW, FREEZE)

        def offered() -> set[str]:
            page = client.get(address(Wallet, "change", wallet.pk)).content.decode()
            return {name for name in ("freeze", "no_debit", "unfreeze") if f"/{name}/" in page}

        assert offered() == {"freeze", "no_debit"}
        freeze_wallet(wallet_id=wallet.pk, actor=UserFactory(is_staff=True), reason="x")
        assert offered() == {"no_debit", "unfreeze"}
