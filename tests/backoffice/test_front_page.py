"""The dashboard and the sidebar: each person sees the numbers and lists of their own permissions."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import transaction as db

from backoffice import figures
from billers.models import BillPayment
from fintech_core import clock, ids
from fintech_core.ids import least_uuid7, uuid7
from tests.backoffice.desks import address, clerk, press
from tests.billers import bench
from tests.factories import UnverifiedUserFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from transactions import switches
from transactions.drafts import Source, TransactionDraft
from transactions.models import Adjustment, ParkedCredit, Transaction, Undoing
from transactions.services import TransactionService
from users.models import KycCase, User
from users.services import kyc
from wallet.services import freeze_wallet

pytestmark = pytest.mark.django_db
CARDS = {
    "users.view_user": "verified",
    "wallet.view_wallet": "in wallets",
    "transactions.view_transaction": "transactions today",
    "users.view_kyccase": "wait for a decision",
    "notifications.view_event": "oldest event waits",
}


@pytest.fixture
def ada() -> User:
    """Somebody with 1,500 of which 200 are held."""
    user: User = UserFactory()
    fund(user, "1500.00")
    wallet = main_wallet(user)
    draft = TransactionDraft(
        type="bill_payment",
        currency="NGN",
        amount=Decimal(200),
        from_wallet_id=wallet.pk,
        from_user_id=user.pk,
        initiated_by_id=user.pk,
        source=Source("bill_payment", uuid7()),
    )
    with db.atomic():
        TransactionService.authorize(draft, now=clock.now())
    return user


def open_case() -> KycCase:
    return kyc.submit(
        user=UnverifiedUserFactory(),
        tier=2,
        document_type="passport",
        document_number="A01234567",
        date_of_birth=date(1991, 5, 7),
        now=clock.now(),
    )


class TestDashboard:
    def test_it_tells_how_things_stand(self, ada: User) -> None:
        open_case()
        shown = clerk(*CARDS).get("/admin/").content.decode()
        for figure in ("NGN 1,500.00", "NGN 200.00", "in 1 holds", ">2<", *CARDS.values()):
            assert figure in shown, figure

    @pytest.mark.parametrize("permission", CARDS)
    def test_each_number_needs_its_own_permission(self, ada: User, permission: str) -> None:
        everything = set(CARDS.values())
        shown = clerk(permission).get("/admin/").content.decode()
        assert {label for label in everything if label in shown} == {CARDS[permission]}

    def test_a_number_read_by_one_is_not_shown_to_another(self, ada: User) -> None:
        assert "NGN 1,500.00" in clerk("wallet.view_wallet").get("/admin/").content.decode()
        assert "NGN 1,500.00" not in clerk("users.view_user").get("/admin/").content.decode()

    def test_the_tables_are_read_once_a_minute(self, ada: User) -> None:
        client = clerk("wallet.view_wallet")
        assert "NGN 1,500.00" in client.get("/admin/").content.decode()
        fund(ada, "1.00")
        assert "NGN 1,500.00" in client.get("/admin/").content.decode()
        figures.forget()
        assert "NGN 1,501.00" in client.get("/admin/").content.decode()

    def test_staff_without_permissions_are_told_so(self) -> None:
        shown = clerk().get("/admin/").content.decode()
        assert "Nothing here is for your role" in shown

    def test_an_alarm_stands_there_while_money_out_is_stopped(self) -> None:
        client = clerk("transactions.view_transaction", "transactions.switch_money_out")
        assert "Outgoing money is stopped." not in client.get("/admin/").content.decode()
        press(client, address(Transaction, "stop_money_out"))
        client.get(address(Transaction, "changelist"))
        assert "Outgoing money is stopped." in client.get("/admin/").content.decode()
        switches.forget()

    @time_machine.travel("2026-03-01T23:30:00Z", tick=False)
    def test_staff_read_times_of_lagos(self) -> None:
        case = open_case()
        shown = clerk("users.view_kyccase").get(address(KycCase, "change", case.pk)).content.decode()
        assert "March 2, 2026, 12:30 a.m." in shown

    def test_keys_of_a_day_are_a_range(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Keys never go back: after a test that travelled ahead in time they would follow that time.
        monkeypatch.setattr(ids, "_last_stamp", 0)
        fund(UserFactory(), "1.00")
        row = Transaction.objects.get()
        assert least_uuid7(row.created_at - timedelta(seconds=5)) < row.pk
        assert row.pk < least_uuid7(row.created_at + timedelta(seconds=5))
        assert least_uuid7(datetime(2026, 1, 1, tzinfo=UTC)).int >> 80 == 1767225600000


class TestSidebar:
    def test_each_person_sees_their_own_lists(self) -> None:
        shown = clerk("wallet.view_wallet").get("/admin/").content.decode()
        assert "/admin/wallet/wallet/" in shown
        assert "/admin/users/user/" not in shown

    def test_a_queue_says_how_many_wait(self) -> None:
        frozen = UserFactory()
        freeze_wallet(wallet_id=main_wallet(frozen).pk, actor=UserFactory(is_staff=True), reason="x")
        fund(frozen, "5.00")
        open_case()
        BillPayment.objects.filter(pk=bench.new_payment().pk).update(needs_review=True)
        Adjustment.objects.create(
            kind="adjustment", wallet=main_wallet(frozen), direction="debit", amount=5, currency="NGN", reason="x",
            requested_by=UserFactory(is_staff=True), requested_at=clock.now(),
        )  # fmt: skip
        Undoing.objects.create(
            kind="reversal", transaction=Transaction.objects.first(), amount=5, currency="NGN", reason="x",
            requested_by=UserFactory(is_staff=True), requested_at=clock.now(), book_shortfall=False,
        )  # fmt: skip
        client = clerk(
            "users.view_kyccase", "transactions.view_parkedcredit", "billers.view_billpayment",
            "transactions.view_adjustment", "transactions.view_undoing",
        )  # fmt: skip
        shown = client.get("/admin/").context["sidebar_navigation"][1]["items"]
        assert [(line["title"], line["badge"]) for line in shown] == [
            ("Identity checks", "1"),
            ("Bills to review", "1"),
            ("Corrections to decide", "1"),
            ("Reversals to decide", "1"),
            ("Parked credits", "1"),
        ]
        for model, line in zip((KycCase, BillPayment, Adjustment, Undoing, ParkedCredit), shown, strict=True):
            page = client.get(line["link"])
            assert page.status_code == 200
            assert page.context["cl"].result_count == 1 or model is not KycCase

    def test_a_count_is_no_way_around_a_permission(self) -> None:
        open_case()
        lines = clerk("wallet.view_wallet").get("/admin/").context["sidebar_navigation"][1]["items"]
        assert [line.get("badge") for line in lines] == [None] * 5

    def test_a_queue_is_not_the_list_it_is_a_part_of(self) -> None:
        client = clerk("users.view_kyccase")

        def active(path: str) -> list[str]:
            groups = client.get(path).context["sidebar_navigation"]
            return [line["title"] for group in groups for line in group["items"] if line["active"]]

        assert active("/admin/") == ["Dashboard"]
        assert active(address(KycCase, "changelist")) == ["Identity cases"]
        assert active(f"{address(KycCase, 'changelist')}?status__exact=in_review") == ["Identity checks"]
        assert active(address(KycCase, "change", open_case().pk)) == ["Identity cases"]
