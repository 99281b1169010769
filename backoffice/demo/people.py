"""The people of the story."""

from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from backoffice.demo.api import Api, PromiseBroken, Reply, fresh_digits, new_key
from backoffice.demo.screen import naira

PASSWORD: Final = "a-Quiet-River-27"  # noqa: S105  of somebody who exists for a minute
PIN: Final = "5083"
PATIENCE_S: Final = 60.0
BILLER: Final = {"biller": "ikeja-electric", "product": "prepaid"}
SHOWN_OF_BILL: Final = ("status", "amount", "customer_name", "cashback", "token", "units", "is_final")


def electricity(meter: str, amount: str, **more: str) -> dict[str, str]:
    """Describe a purchase of prepaid electricity."""
    return {**BILLER, "customer_id": meter, "amount": amount, **more}


class Person:
    """Somebody with an app: registers, pays, and holds every figure against what was promised."""

    def __init__(self, api: Api, first_name: str, last_name: str) -> None:
        self.api = api
        self.first_name = first_name
        self.email = f"{first_name.lower()}.{fresh_digits(8)}@example.com"
        self._last_name = last_name

    def register(self) -> None:
        """Sign up."""
        body = {
            "email": self.email,
            "password": PASSWORD,
            "first_name": self.first_name,
            "last_name": self._last_name,
            "phone": f"+23480{fresh_digits(8)}",
        }
        self.api.access = ""
        reply = self.api.call(
            "POST", "/auth/register", body, expect=[201], show=["access", "access_expires_at"]
        )
        self.api.access = reply.body["access"]

    def set_pin(self) -> None:
        """Set the transaction PIN."""
        self.api.call("PUT", "/users/me/pin", {"pin": PIN, "password": PASSWORD}, expect=[204])

    def pass_kyc(self) -> None:
        """Reach tier 1 with a number that the sandbox's verifier approves."""
        body = {
            "tier": 1,
            "document_type": "bvn",
            "document_number": f"2{fresh_digits(10)}",
            "date_of_birth": "1990-05-01",
        }
        self.api.call("POST", "/users/me/kyc", body, expect=[201], show=["tier", "status"])
        self.api.until(
            "/users/me",
            lambda me: me["kyc_tier"] == 1,
            patience_s=PATIENCE_S,
            what="tier 1 is reached",
            show=["email", "kyc_tier", "kyc_status", "has_pin"],
        )

    def holds(self, balance: str, *, held: str = "0.00") -> None:
        """Hold the main wallet against what was promised; amounts as the API writes them."""
        wallet = self.api.call("GET", "/wallet/balance", show=["balance", "held", "available", "status"]).body
        if (wallet["balance"], wallet["held"]) != (balance, held):
            raise PromiseBroken(
                f"{self.first_name}'s wallet has {wallet['balance']} with {wallet['held']} held;"
                f" promised were {balance} with {held} held."
            )
        promise = "" if held == "0.00" else f", held {naira(held)}"
        self.api.screen.kept(f"{self.first_name}'s wallet NGN {naira(balance)}{promise}")

    def fund(self, amount: str) -> None:
        """Pay into the wallet at the gateway's checkout page, and wait for the credit."""
        shown = ["status", "gateway", "amount", "checkout_url"]
        body = {"amount": amount, "currency": "NGN", "gateway": "paystack"}
        intent = self.api.call(
            "POST", "/wallet/fund", body, expect=[201, 202], show=shown, key=new_key()
        ).body
        path = f"/payments/intents/{intent['id']}"
        if not intent["checkout_url"]:
            intent = self.api.until(
                path,
                lambda found: bool(found["checkout_url"]),
                patience_s=PATIENCE_S,
                what="there is a checkout page",
                show=shown,
            )
        if self.api.press(f"{intent['checkout_url']}/act", {"outcome": "success"}) not in {200, 303}:
            raise PromiseBroken("The checkout page did not take the payment.")
        self._show_webhook(intent["checkout_url"])
        self.api.until(
            path,
            lambda found: bool(found["is_final"]),
            patience_s=PATIENCE_S,
            what="the payment is credited",
            show=["status", "amount", "transaction_id", "is_final"],
        )

    def send(self, to: "Person", amount: str) -> None:
        """Send money to somebody."""
        found = self.api.call("POST", "/transactions/transfer/lookup", {"to": to.email}).body
        body = {"to": to.email, "amount": amount, "currency": "NGN", "description": "Lunch", "pin": PIN}
        shown = ["reference", "status", "amount", "fee", "counterparty"]
        sent = self.api.call(
            "POST", "/transactions/transfer", body, expect=[201], show=shown, key=new_key()
        ).body
        if sent["counterparty"]["name"] != found["name"]:
            raise PromiseBroken(
                f"The lookup named {found['name']}, the transfer {sent['counterparty']['name']}."
            )

    def validate(self, order: dict[str, str]) -> Any:
        """Ask who a meter belongs to, and what paying it would cost and earn."""
        shown = ["customer_name", "fee", "cashback", "total", "quote_id"]
        return self.api.call("POST", "/bills/validate", order, show=shown).body

    def pay_bill(self, order: dict[str, str], *, key: str, wait_s: int | None = None) -> Reply:
        """Pay prepaid electricity; the same ``order`` and ``key`` again are a retry."""
        body = {**order, "pin": PIN}
        return self.api.call(
            "POST", "/bills/pay", body, expect=[201, 202], show=SHOWN_OF_BILL, key=key, wait_s=wait_s
        )

    def bill_when_final(self, payment_id: str) -> Any:
        """Wait until a bill payment has ended."""
        return self.api.until(
            f"/bills/payments/{payment_id}",
            lambda found: bool(found["is_final"]),
            patience_s=PATIENCE_S * 2,
            what="the bill is settled",
            show=SHOWN_OF_BILL,
        )

    def _show_webhook(self, checkout_url: str) -> None:
        """Show the signed webhook that the sandbox sends for this checkout, once it was taken."""
        sandbox = urlunsplit(urlsplit(checkout_url)._replace(path="", query=""))
        code = checkout_url.rsplit("/", 1)[-1]
        state = self.api.look(f"{sandbox}/_control/state")
        payments = [] if state is None else state["paystack"]["transactions"]
        reference = next((row["reference"] for row in payments if row["access_code"] == code), None)
        if reference is None:
            raise PromiseBroken("The sandbox's book has no such checkout.")
        delivery = self.api.wait_for(
            lambda: _delivered(self.api.look(f"{sandbox}/_control/deliveries"), reference),
            patience_s=PATIENCE_S,
            what="the webhook is delivered",
        )
        signature = next(
            value for name, value in delivery["headers"].items() if name.lower().endswith("signature")
        )
        self.api.screen.note(
            f"webhook {delivery['event']}, x-paystack-signature {signature[:12]}…, taken with"
            f" {delivery['response_status']}; the worker asks Paystack before it credits"
        )


def _delivered(book: Any, reference: str) -> Any:
    """Return the delivery of a reference's event that was taken, if it was."""
    rows = [] if book is None else book["deliveries"]
    return next((row for row in rows if reference in row["body"] and row["response_status"] == 200), None)
