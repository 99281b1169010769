"""The sandbox's checkout page, as the person who pays sees it."""

from typing import Any

import pytest

from tests.browser.window import Window
from tests.clients import Person, eventually
from tests.stack import Stack


def checkout(person: Person, **more: Any) -> dict[str, Any]:
    """Begin a funding of 1,500 and return it with its checkout page."""
    intent = person.pay("/wallet/fund", {"amount": "1500.00", **more}).json()
    path = f"/payments/intents/{intent['id']}"
    eventually(lambda: bool(person.get(path).json()["checkout_url"]), "there is a checkout page")
    return dict(person.get(path).json())


class TestPaying:
    def test_who_pays_is_told_and_credited(self, stack: Stack, window: Window) -> None:
        ada = stack.person()
        page = window.open(checkout(ada)["checkout_url"])
        assert "NGN 1,500.00" in window.text() or "₦1,500.00" in window.text()
        assert ada.email in window.text()
        window.picture("checkout")
        page.get_by_role("button", name="Pay").first.click()
        page.get_by_text("Payment successful").wait_for()
        assert page.get_by_role("button").count() == 0
        window.picture("checkout-paid")
        eventually(lambda: ada.balance() == "1500.00", "the payment is credited")

    def test_a_shop_gets_its_customer_back(self, stack: Stack, window: Window) -> None:
        ada = stack.person()
        intent = checkout(ada, callback_url=f"{stack.address}/docs")
        window.open(intent["checkout_url"]).get_by_role("button", name="Pay").first.click()
        window.page.wait_for_url(f"{stack.address}/docs?*")
        assert "reference=" in window.page.url
        window.page.get_by_text("Fintech Core API").first.wait_for()
        eventually(lambda: ada.balance() == "1500.00", "the payment is credited")

    @pytest.mark.parametrize(
        ("button", "told"), [("Decline", "Payment declined"), ("Abandon", "Checkout left")]
    )
    def test_who_does_not_pay_may_try_again(
        self, stack: Stack, window: Window, button: str, told: str
    ) -> None:
        ada = stack.person()
        page = window.open(checkout(ada)["checkout_url"])
        page.get_by_role("button", name=button).click()
        page.get_by_text(told).wait_for()
        assert "Nothing was charged" in window.text()
        window.picture(f"checkout-{button.lower()}")
        assert ada.balance() == "0.00"
        page.get_by_role("button", name="Pay").first.click()
        page.get_by_text("Payment successful").wait_for()
        eventually(lambda: ada.balance() == "1500.00", "the second try is credited")

    def test_an_unknown_checkout_says_so(self, stack: Stack, window: Window) -> None:
        window.open(f"{stack.sandbox_address}/checkout/paystack/nonsense")
        assert "No such checkout" in window.text()
        assert window.faults.pop(0).startswith("404")
        window.faults.clear()

    def test_the_front_page_says_what_is_guessed(self, stack: Stack, window: Window) -> None:
        window.open(stack.sandbox_address)
        assert "Paystack" in window.text()
        window.picture("sandbox")
