"""``ETag`` and ``If-Match`` on a wallet: whoever has seen an older state is told so, and nothing happens."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from fintech_core import clock
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import PIN, fund, main_wallet, with_pin
from tests.transactions.story import bill_draft, cashback_draft, happened, transfer_draft
from transactions.drafts import Authorize, Post, Void
from transactions.enums import BulkMode
from transactions.models import Transaction
from transactions.services import conversions
from users.models import User
from wallet.etags import entity_tag, is_known, is_matched
from wallet.models import Wallet
from wallet.services import freeze_wallet, open_wallet, unfreeze_wallet

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]


@pytest.fixture
def ada(settings: Settings) -> User:
    """A sender with 100.00 and a PIN."""
    settings.RATE_LIMITS = False
    user = with_pin(UserFactory())
    fund(user, "100.00")
    return user


def tag_of(user: User) -> str:
    return entity_tag(main_wallet(user))


def transfer(client: APIClient, to: User, if_match: str, key: str | None = None, query: str = "") -> Any:
    return client.post(
        f"/api/v1/transactions/transfer{query}", {"to": to.email, "amount": "40.00", "pin": PIN}, format="json",
        headers={"Idempotency-Key": key or str(uuid4()), "If-Match": if_match},
    )  # fmt: skip


class TestTag:
    def test_changes_with_every_entry_hold_and_status(self, ada: User) -> None:
        chidi, staff = UserFactory(), StaffFactory()
        seen = [tag_of(ada)]
        happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), "1.00")))
        seen.append(tag_of(ada))
        hold = happened(Authorize(bill_draft(main_wallet(ada), "10.00")))
        seen.append(tag_of(ada))
        freeze_wallet(wallet_id=main_wallet(ada).pk, actor=staff, reason="fraud alert")
        seen.append(tag_of(ada))
        assert len(set(seen)) == 4
        unfreeze_wallet(wallet_id=main_wallet(ada).pk, actor=staff, reason="cleared")
        happened(Void(hold.pk, "declined"))
        assert tag_of(ada) == seen[1]

    def test_begins_with_the_version_of_the_last_entry(self, ada: User) -> None:
        assert tag_of(ada).startswith('"1-')
        fund(ada, "1.00")
        assert tag_of(ada).startswith('"2-')

    @pytest.mark.parametrize(
        ("header", "matched", "known"),
        [('"1-0-active"', True, True), ('"x", "1-0-active"', True, True), ("*", True, True), ("", False, False),
         ('W/"1-0-active"', False, True), ('"x", W/"1-0-active"', False, True), ('w/"1-0-active"', False, False),
         ("1-0-active", False, False), ('"1-0-active', False, False), ('"2-0-active"', False, False)],
    )  # fmt: skip
    def test_is_compared_strongly_to_act_and_weakly_to_read(
        self, header: str, matched: bool, known: bool
    ) -> None:
        assert (is_matched('"1-0-active"', header), is_known('"1-0-active"', header)) == (matched, known)


class TestReading:
    @pytest.mark.parametrize("path", ["/wallet", "/wallet/balance?currency=NGN", "/wallets/{id}"])
    def test_the_state_one_knows_and_no_other(self, api: Api, ada: User, path: str) -> None:
        client, path = api(ada), f"/api/v1{path.format(id=main_wallet(ada).pk)}"
        tag = client.get(path).headers["ETag"]
        assert client.get(path, headers={"If-Match": tag}).status_code == 200
        fund(ada, "1.00")
        stale = client.get(path, headers={"If-Match": tag})
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
        assert stale.json()["etag"] == client.get(path).headers["ETag"]
        assert client.get(path, headers={"If-Match": "*"}).status_code == 200

    @pytest.mark.parametrize("path", ["/wallet", "/wallet/balance?currency=NGN", "/wallets/{id}"])
    def test_what_one_knows_is_not_sent_again(self, api: Api, ada: User, path: str) -> None:
        client, path = api(ada), f"/api/v1{path.format(id=main_wallet(ada).pk)}"
        first = client.get(path)
        for tag in (first.headers["ETag"], f"W/{first.headers['ETag']}"):
            again = client.get(path, headers={"If-None-Match": tag})
            assert (again.status_code, again.content) == (304, b"")
            for name in ("ETag", "Cache-Control"):
                assert again.headers[name] == first.headers[name]
        fund(ada, "1.00")
        assert client.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


class TestTransfer:
    def test_goes_through_while_the_wallet_is_as_it_was_seen(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        assert transfer(api(ada), chidi, tag_of(ada)).status_code == 201
        assert main_wallet(chidi).balance == 40

    def test_is_refused_once_it_has_changed_and_nothing_happens(self, api: Api, ada: User) -> None:
        chidi, tag = UserFactory(), tag_of(ada)
        fund(ada, "1.00")
        before = Transaction.objects.count()
        for query in ("", "?dry_run=true"):
            stale = transfer(api(ada), chidi, tag, query=query)
            assert (stale.status_code, stale.json()["code"], stale.json()["etag"]) == (
                412, "precondition_failed", tag_of(ada),
            )  # fmt: skip
        assert Transaction.objects.count() == before
        assert main_wallet(ada).balance == 101

    def test_the_refusal_is_not_kept_under_the_key(self, api: Api, ada: User) -> None:
        chidi, tag = UserFactory(), tag_of(ada)
        fund(ada, "1.00")
        assert transfer(api(ada), chidi, tag, key="k").status_code == 412
        assert transfer(api(ada), chidi, tag_of(ada), key="k").status_code == 201

    def test_a_replay_answers_whatever_the_wallet_is_like_by_now(self, api: Api, ada: User) -> None:
        chidi, tag = UserFactory(), tag_of(ada)
        first = transfer(api(ada), chidi, tag, key="k")
        again = transfer(api(ada), chidi, tag, key="k")
        assert (again.status_code, again.json()) == (201, first.json())
        assert main_wallet(ada).balance == Decimal(60)


class TestEveryOtherWayToPay:
    """The wallet that gives is the one whose state counts: the main wallet, or the cashback that is redeemed."""

    @pytest.fixture
    def bola(self, settings: Settings) -> User:
        """Somebody with 20,000.00, a wallet in USD, cashback of 50.00 and a PIN."""
        settings.RATE_LIMITS = False
        user = with_pin(UserFactory())
        fund(user, "20000.00")
        open_wallet(user=user, currency="USD")
        happened(Post(cashback_draft(user, "50.00")))
        return user

    def request(self, user: User, way: str) -> tuple[Wallet, str, dict[str, Any]]:
        """Return the wallet that gives, the path and a good body."""
        if way == "redeem":
            return Wallet.objects.get(owner=user, kind="cashback"), "/cashback/redeem", {"amount": "10.00"}
        if way == "bill":
            bill = {"biller": "ikeja-electric", "product": "prepaid", "customer_id": "1111111111111"}
            return main_wallet(user), "/bills/pay", {**bill, "amount": "1000.00", "pin": PIN}
        if way in BulkMode.values:
            items = [{"to": UserFactory().email, "amount": "1.00"} for _ in range(2)]
            return main_wallet(user), "/transactions/transfer/bulk", {"items": items, "mode": way, "pin": PIN}
        quote = conversions.quote_conversion(
            user=user, from_currency="NGN", to_currency="USD", amount=Decimal(1_000), now=clock.now()
        )
        return main_wallet(user), "/wallet/convert", {"quote_id": str(quote.pk), "pin": PIN}

    @pytest.mark.parametrize("way", ["convert", "bill", "redeem", *BulkMode.values])
    def test_goes_by_the_wallet_that_gives(self, api: Api, bola: User, way: str) -> None:
        wallet, path, body = self.request(bola, way)
        before = Transaction.objects.count()

        def pay(tag: str) -> Any:
            wait = "wait=0" if way == "bill" else "wait=8"  # nobody works on bills here
            headers = {"Idempotency-Key": str(uuid4()), "If-Match": tag, "Prefer": wait}
            return api(bola).post(f"/api/v1{path}", body, format="json", headers=headers)

        stale = pay('"0-0-active"')
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
        assert stale.json()["etag"] == entity_tag(wallet)
        assert Transaction.objects.count() == before
        assert pay(entity_tag(wallet)).status_code in {201, 202}
        assert Transaction.objects.count() == before + len(body.get("items", [None]))


class TestStaff:
    def test_do_not_freeze_what_they_have_not_seen(self, api: Api, ada: User) -> None:
        staff, wallet = api(StaffFactory(is_superuser=True)), main_wallet(ada)
        tag = entity_tag(wallet)
        fund(ada, "1.00")
        path = f"/api/v1/admin/wallets/{wallet.pk}"
        stale = staff.post(
            f"{path}/freeze", {"reason": "fraud alert"}, format="json", headers={"If-Match": tag}
        )
        assert (stale.status_code, main_wallet(ada).status) == (412, "active")
        frozen = staff.post(
            f"{path}/freeze", {"reason": "fraud alert"}, format="json", headers={"If-Match": tag_of(ada)}
        )
        assert (frozen.status_code, frozen.headers["ETag"]) == (200, tag_of(ada))
        stale = staff.post(
            f"{path}/unfreeze", {"reason": "cleared"}, format="json", headers={"If-Match": tag}
        )
        assert (stale.status_code, main_wallet(ada).status) == (412, "frozen")


class TestFromABrowser:
    def test_an_app_of_another_origin_may_send_the_headers_that_the_api_asks_for(
        self, settings: Settings
    ) -> None:
        settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
        asked = {
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "idempotency-key,if-match,authorization,content-type",
        }
        answer = Client().options("/api/v1/transactions/transfer", headers=asked)
        allowed = set(answer.headers["Access-Control-Allow-Headers"].split(", "))
        assert {
            "idempotency-key",
            "if-match",
            "if-none-match",
            "prefer",
            "x-device-id",
            "authorization",
        } <= allowed
