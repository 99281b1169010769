"""The app in a customer's hand: signed-in requests about bills, and who sends them."""

from typing import Any
from uuid import uuid4

from rest_framework.test import APIClient

from tests.billers.bench import DELIVERED
from tests.factories import UserFactory
from tests.transactions.money import PIN, fund, with_pin
from users.models import User

BILL = {"biller": "ikeja-electric", "product": "prepaid", "customer_id": DELIVERED, "amount": "10000.00"}
PAYMENT_FIELDS = {
    "id", "reference", "status", "biller", "product", "customer_id", "customer_name", "amount", "fee", "total",
    "currency", "cashback", "token", "units", "receipt_url", "transaction_id", "failure", "created_at",
    "completed_at", "is_final", "next_poll_at", "resolve_by",
}  # fmt: skip
QUOTE_FIELDS = {
    "quote_id", "customer_name", "address", "amount", "min_amount", "max_amount", "fee", "cashback", "total",
    "currency", "current_product", "renewal_amount", "due_on", "expires_at",
}  # fmt: skip


def customer(amount: str = "50000.00", **facts: Any) -> User:
    """Make a customer of tier 1 with money and a PIN."""
    user = with_pin(UserFactory(**facts))
    if amount:
        fund(user, amount)
    return user


def pay(client: APIClient, *, key: str = "", path: str = "/bills/pay", wait: int = 0, **changes: Any) -> Any:
    """Order a bill under a fresh key unless one is given; a change to ``...`` leaves the field out."""
    body = {name: value for name, value in {**BILL, "pin": PIN, **changes}.items() if value is not ...}
    headers = {"Idempotency-Key": key or str(uuid4()), "Prefer": f"wait={wait}"}
    return client.post(f"/api/v1{path}", body, format="json", headers=headers)


def validate(client: APIClient, **changes: Any) -> Any:
    """Ask for a quote; a change to ``...`` leaves the field out."""
    body = {name: value for name, value in {**BILL, **changes}.items() if value is not ...}
    return client.post("/api/v1/bills/validate", body, format="json")


def get(client: APIClient, path: str, **query: Any) -> Any:
    """Read."""
    return client.get(f"/api/v1{path}", query)


def faults(answer: Any) -> set[tuple[str, str]]:
    """Return field and code of everything that is wrong with a request."""
    assert answer.status_code == 400, answer.content
    return {(fault["field"], fault["code"]) for fault in answer.json()["errors"]}


def problem(answer: Any) -> tuple[int, str]:
    """Return status and code of a refusal."""
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]
