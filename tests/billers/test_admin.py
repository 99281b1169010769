"""Bills at the desk: the catalogue is changed with a reason, payments are looked at and checked, nothing else."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billers.models import BillAttempt, Biller, BillPayment, Product, ProductRoute, Quote
from billers.providers.base import PurchaseResult
from billers.services import settlement
from billers.services.readings import Reading
from fintech_core.models import AuditRecord
from fintech_core.outcomes import Outcome
from tests.backoffice.desks import REASON, address, clerk, press, told
from tests.billers import bench

pytestmark = pytest.mark.django_db
VIEW, CHECK = "billers.view_billpayment", "billers.check_billpayment"
TOKEN = "26362054405982757802"


def delivered(payment: BillPayment) -> BillPayment:
    """Settle a payment as delivered, with a token."""
    result = PurchaseResult(
        Outcome.SUCCEEDED, "x", "delivered", vendor_id="VT-1", amount=payment.amount, cost=Decimal(9850),
        token=TOKEN, units="79.9 kWh",
    )  # fmt: skip
    attempt = bench.attempt_of(payment)
    settlement.settle(attempt_id=attempt.pk, lease_number=0, reading=Reading.of(result), now=timezone.now())
    payment.refresh_from_db()
    return payment


def in_review(payment: BillPayment) -> BillPayment:
    BillPayment.objects.filter(pk=payment.pk).update(
        needs_review=True, review_reason="Nobody knows.", next_check_at=None
    )
    payment.refresh_from_db()
    return payment


def untouched() -> tuple[Any, ...]:
    """Return what a refusal leaves as it was."""
    reviews = sorted(BillPayment.objects.values_list("pk", "needs_review", "next_check_at"))
    catalogue = [sorted(model.objects.values_list()) for model in (Biller, Product, ProductRoute)]
    return bench.fingerprint(), reviews, catalogue, AuditRecord.objects.count()


class TestPayments:
    def test_a_payment_is_shown_with_its_orders_and_without_its_token(self) -> None:
        payment = delivered(bench.new_payment())
        page = clerk(VIEW, "billers.view_billattempt").get(address(BillPayment, "change", payment.pk))
        shown = page.content.decode()
        assert page.status_code == 200
        for fact in (payment.reference, payment.user.email, bench.attempt_of(payment).vendor_reference,
                     "NGN 10,000.00", "NGN 9,850.00", "Completed", "delivered"):  # fmt: skip
            assert fact in shown
        assert TOKEN not in shown
        assert "/check_now/" not in shown

    def test_orders_are_for_those_who_may_see_them(self) -> None:
        payment = bench.new_payment()
        shown = clerk(VIEW).get(address(BillPayment, "change", payment.pk)).content.decode()
        assert payment.reference in shown
        assert bench.attempt_of(payment).vendor_reference not in shown

    def test_the_list_shows_what_waits_for_a_person(self) -> None:
        waits, other = in_review(bench.new_payment()), bench.new_payment()
        client = clerk(VIEW)
        everything = client.get(address(BillPayment, "changelist")).content.decode()
        assert waits.reference in everything
        assert other.reference in everything
        queue = client.get(address(BillPayment, "changelist"), {"needs_review__exact": 1}).content.decode()
        assert waits.reference in queue
        assert other.reference not in queue

    def test_is_found_by_every_name_it_has(self) -> None:
        payment, other = bench.new_payment(), bench.new_payment()
        client = clerk(VIEW)
        for term in (
            payment.reference, str(payment.pk), payment.user.email.upper(), bench.attempt_of(payment).vendor_reference,
        ):  # fmt: skip
            found = client.get(address(BillPayment, "changelist"), {"q": f" {term} "}).content.decode()
            assert payment.reference in found
            assert other.reference not in found
        nothing = client.get(address(BillPayment, "changelist"), {"q": "nobody@example.com"}).content.decode()
        assert payment.reference not in nothing

    @pytest.mark.parametrize("model", [BillPayment, BillAttempt, Quote])
    @pytest.mark.parametrize("superuser", [True, False])
    def test_nobody_adds_edits_or_deletes_one(self, model: Any, superuser: bool) -> None:
        payment = bench.new_payment()
        quote = Quote.objects.create(
            user=payment.user, product=payment.product, customer_id="1111", fee=0, cashback=0, currency="NGN",
            amount=Decimal(500), created_at=timezone.now(), expires_at=timezone.now() + timedelta(minutes=15),
        )  # fmt: skip
        row = {BillPayment: payment, BillAttempt: bench.attempt_of(payment), Quote: quote}[model]
        name = model._meta.model_name
        client = clerk(*(f"billers.{verb}_{name}" for verb in ("view", "add", "change", "delete")),
                       superuser=superuser)  # fmt: skip
        before = untouched()
        assert client.get(address(model, "changelist")).status_code == 200
        assert client.get(address(model, "change", row.pk)).status_code == 200
        sent = {"status": "completed", "amount": "1", "token": "1", "state": "delivered"}
        assert client.post(address(model, "change", row.pk), sent).status_code == 403
        assert client.post(address(model, "add"), sent).status_code == 403
        assert client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        assert untouched() == before


class TestCheckNow:
    def test_a_payment_in_review_goes_on(self) -> None:
        payment = in_review(bench.new_payment())
        client = clerk(VIEW, CHECK)
        assert "/check_now/" in client.get(address(BillPayment, "change", payment.pk)).content.decode()
        assert press(client, address(BillPayment, "check_now", payment.pk)).status_code == 200
        payment.refresh_from_db()
        assert (payment.needs_review, payment.status) == (False, "processing")
        assert payment.next_check_at is not None
        assert payment.next_check_at <= timezone.now()
        record = AuditRecord.objects.get(action="bill_payment.check_now")
        assert (record.reason, record.target_id) == (REASON, str(payment.pk))
        assert "The vendor is asked now." in told(client)

    def test_is_no_right_of_those_who_only_look(self) -> None:
        payment = in_review(bench.new_payment())
        client = clerk(VIEW)
        before = untouched()
        for dialog in ("check_now", "close_review"):
            assert press(client, address(BillPayment, dialog, payment.pk)).status_code == 403
        assert "/check_now/" not in client.get(address(BillPayment, "change", payment.pk)).content.decode()
        assert untouched() == before

    @pytest.mark.parametrize("dialog", ["check_now", "close_review"])
    def test_needs_a_reason_and_a_press(self, dialog: str) -> None:
        payment = in_review(bench.new_payment())
        client = clerk(VIEW, CHECK)
        before = untouched()
        path = address(BillPayment, dialog, payment.pk)
        press(client, path, reason="  ")
        client.get(f"{path}?_form_submitted=on&reason=x")
        assert untouched() == before

    def test_what_is_not_there_is_told(self) -> None:
        client = clerk(VIEW, CHECK)
        before = untouched()
        missing = "00000000-0000-0000-0000-000000000000"
        assert press(client, f"/admin/billers/billpayment/{missing}/check_now/").status_code == 200
        assert "Not found" in told(client)
        assert press(client, "/admin/billers/billpayment/nonsense/check_now/").status_code == 404
        assert untouched() == before

    def test_a_final_payment_with_an_open_order_can_be_asked_about(self) -> None:
        payment = delivered(bench.new_payment())
        client = clerk(VIEW, CHECK)
        page = address(BillPayment, "change", payment.pk)
        assert "/check_now/" not in client.get(page).content.decode()
        BillAttempt.objects.create(
            payment=payment, number=2, vendor="vtpass", vendor_reference="second", state="sent",
            created_at=timezone.now(),
        )  # fmt: skip
        assert "/check_now/" in client.get(page).content.decode()


class TestCloseReview:
    def test_a_final_payment_that_was_looked_at_leaves_the_queue(self) -> None:
        payment = in_review(delivered(bench.new_payment()))
        client = clerk(VIEW, CHECK)
        page = client.get(address(BillPayment, "change", payment.pk)).content.decode()
        assert "/close_review/" in page
        before = bench.fingerprint()
        press(client, address(BillPayment, "close_review", payment.pk))
        payment.refresh_from_db()
        assert (payment.needs_review, bench.fingerprint()) == (False, before)
        assert AuditRecord.objects.get(action="bill_payment.review_closed").reason == REASON

    def test_an_open_payment_leaves_it_only_by_being_asked_about(self) -> None:
        payment = in_review(bench.new_payment())
        client = clerk(VIEW, CHECK)
        before = untouched()
        press(client, address(BillPayment, "close_review", payment.pk))
        assert "Only a final payment" in told(client)
        assert untouched() == before


def rights(model: Any, *verbs: str) -> Client:
    """Sign somebody in with rights on one table of the catalogue."""
    return clerk(*(f"billers.{verb}_{model._meta.model_name}" for verb in verbs))


def product_form(**changes: Any) -> dict[str, Any]:
    """Return what the page of a new fixed product sends."""
    biller = Biller.objects.get(code="gotv")
    form = {
        "biller": str(biller.pk), "code": "gotv-supa", "name": "GOtv Supa", "currency": "NGN",
        "amount_type": "fixed", "amount": "15700", "min_amount": "", "max_amount": "", "fee": "0",
        "customer_id_label": "Smart card number", "verifies_customer": "on", "is_active": "on", "reason": REASON,
        "routes-TOTAL_FORMS": "0", "routes-INITIAL_FORMS": "0",
    }  # fmt: skip
    return {name: value for name, value in {**form, **changes}.items() if value is not ...}


class TestCatalogue:
    def test_a_price_is_changed_with_a_reason_and_noted(self) -> None:
        product = Product.objects.get(code="gotv-max")
        sent = product_form(name=product.name, amount="9000.50", biller=..., code=..., currency=...)
        answer = rights(Product, "view", "change").post(address(Product, "change", product.pk), sent)
        assert answer.status_code == 302, answer.content
        product.refresh_from_db()
        assert product.amount == Decimal("9000.50")
        record = AuditRecord.objects.get(action="product.changed")
        assert (record.reason, record.target_id) == (REASON, str(product.pk))
        assert record.changes == {"amount": ["8500.0000", "9000.5000"]}

    def test_what_names_a_product_stays_as_it_was(self) -> None:
        product = Product.objects.get(code="gotv-max")
        sent = product_form(name=product.name, amount="8500", currency="USD", code="other")
        rights(Product, "view", "change").post(address(Product, "change", product.pk), sent)
        product.refresh_from_db()
        assert (product.code, product.currency, product.biller.code) == ("gotv-max", "NGN", "gotv")

    def test_a_product_and_its_route_are_added_and_sold(self) -> None:
        assert rights(Product, "view", "add").post(address(Product, "add"), product_form()).status_code == 302
        product = Product.objects.get(code="gotv-supa")
        route = {"product": str(product.pk), "vendor": "vtpass", "service_id": "gotv",
                 "variation_code": "gotv-supa", "priority": "1", "reason": REASON}  # fmt: skip
        answer = rights(ProductRoute, "view", "add").post(address(ProductRoute, "add"), route)
        assert answer.status_code == 302, answer.content
        assert set(AuditRecord.objects.values_list("action", flat=True)) == {
            "product.added",
            "productroute.added",
        }
        assert AuditRecord.objects.get(action="product.added").changes["amount"] == [None, "15700.0000"]
        payment = bench.new_payment(
            biller="gotv", product="gotv-supa", customer_id="1212121212", amount=Decimal(15700)
        )
        assert payment.product_id == product.pk

    def test_the_lists_show_prices_as_people_read_them(self) -> None:
        shown = rights(Product, "view").get(address(Product, "changelist"), {"q": "MTN"}).content.decode()
        assert "NGN 50.00 to NGN 200,000.00" in shown
        assert "NGN 1,000.00" in shown
        routes = rights(ProductRoute, "view").get(address(ProductRoute, "changelist"), {"q": "etisalat"})
        assert "9mobile airtime" in routes.content.decode()

    def test_a_biller_is_taken_off_sale(self) -> None:
        biller = Biller.objects.get(code="gotv")
        sent = {"name": biller.name, "category": "tv", "reason": REASON,
                "products-TOTAL_FORMS": "0", "products-INITIAL_FORMS": "0"}  # fmt: skip
        client = rights(Biller, "view", "change")
        assert client.post(address(Biller, "change", biller.pk), sent).status_code == 302
        biller.refresh_from_db()
        assert not biller.is_active
        assert AuditRecord.objects.get().changes == {"is_active": ["True", "False"]}

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"reason": ""}, "This field is required"),
            ({"amount": "100.001"}, "NGN has 2 decimals"),
            ({"amount": "-5"}, "more than nothing"),
            ({"amount": "0"}, "more than nothing"),
            ({"amount": ""}, "This type needs it"),
            ({"min_amount": "5"}, "Leave this empty"),
            ({"amount_type": "range"}, "Leave this empty"),
            ({"amount_type": "range", "amount": "", "min_amount": "500"}, "This type needs it"),
            (
                {"amount_type": "range", "amount": "", "min_amount": "500", "max_amount": "400"},
                "not below the least",
            ),
            ({"fee": "-1"}, "more than nothing"),
            ({"currency": "JPY", "amount": "100.5"}, "JPY has 0 decimals"),
            ({"currency": "XXX"}, "is not one of the available choices"),
            ({"code": "gotv max"}, "Enter a valid"),
            ({"code": "gotv-max"}, "already exists"),
        ],
    )
    def test_a_wrong_product_is_refused(self, changes: dict[str, str], fault: str) -> None:
        client = rights(Product, "view", "add")
        before = untouched()
        page = client.post(address(Product, "add"), product_form(**changes))
        assert page.status_code == 200
        assert fault in page.content.decode()
        assert untouched() == before

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"vendor": "nobody"}, "is not one of the available choices"),
            ({"priority": "-1"}, "greater than or equal"),
            ({"reason": ""}, "This field is required"),
        ],
    )
    def test_a_wrong_route_is_refused(self, changes: dict[str, str], fault: str) -> None:
        product = Product.objects.create(
            biller=Biller.objects.get(code="gotv"), code="x", name="X", amount_type="fixed", amount=Decimal(1)
        )
        form = {"product": str(product.pk), "vendor": "vtpass", "service_id": "gotv", "priority": "1",
                "reason": REASON, **changes}  # fmt: skip
        client = rights(ProductRoute, "view", "add")
        before = untouched()
        page = client.post(address(ProductRoute, "add"), form)
        assert fault in page.content.decode()
        assert untouched() == before

    def test_a_vendor_that_is_paid_in_naira_gets_no_route_for_dollars(self) -> None:
        product = Product.objects.create(
            biller=Biller.objects.get(code="gotv"), code="x", name="X", amount_type="fixed", amount=Decimal(1),
            currency="USD",
        )  # fmt: skip
        form = {"product": str(product.pk), "vendor": "vtpass", "service_id": "gotv", "priority": "1",
                "reason": REASON}  # fmt: skip
        page = rights(ProductRoute, "view", "add").post(address(ProductRoute, "add"), form)
        assert "This vendor is not paid in USD." in page.content.decode()
        assert not ProductRoute.objects.filter(product=product).exists()

    @pytest.mark.parametrize("model", [Biller, Product, ProductRoute])
    def test_looking_is_no_right_to_change_and_nobody_deletes(self, model: Any) -> None:
        row = model.objects.order_by("pk").first()
        looking, everything = rights(model, "view"), rights(model, "view", "add", "change", "delete")
        before = untouched()
        page = looking.get(address(model, "change", row.pk))
        assert page.status_code == 200
        assert 'name="reason"' not in page.content.decode()
        assert looking.post(address(model, "change", row.pk), {"reason": REASON}).status_code == 403
        assert looking.post(address(model, "add"), {"reason": REASON}).status_code == 403
        assert everything.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        assert untouched() == before
