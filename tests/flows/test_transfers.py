"""Sending money, as two apps see it."""

from uuid import uuid4

import pytest

from tests.clients import PIN, Person, eventually
from tests.stack import Stack

TRANSFER = "/transactions/transfer"


@pytest.fixture(scope="module")
def chidi(stack: Stack) -> Person:
    """Somebody to send to."""
    return stack.person("Chidi")


def titles(person: Person) -> dict[str, str]:
    """Return the titles of a person's messages by the type of their event."""
    return {message["type"]: message["title"] for message in person.get("/notifications").json()["results"]}


class TestSending:
    def test_moves_exactly_the_amount(self, stack: Stack) -> None:
        ada, chidi = stack.person(funds="5000.00"), stack.person("Chidi")
        answer = ada.pay(
            TRANSFER,
            {
                "to": chidi.email,
                "amount": "1234.56",
                "description": "rent",
                "metadata": {"m": "7"},
                "pin": PIN,
            },
        )
        assert answer.status_code == 201, answer.text
        sent = answer.json()
        assert {name: sent[name] for name in ("type", "status", "direction", "amount", "fee", "total")} == {
            "type": "transfer",
            "status": "completed",
            "direction": "out",
            "amount": "1234.56",
            "fee": "0.00",
            "total": "1234.56",
        }
        assert (sent["is_final"], sent["failure"], sent["counterparty"]) == (True, None, {"name": "Chidi O."})
        mine, theirs = ada.wallet(), chidi.wallet()
        assert (mine["balance"], mine["held"], mine["available"]) == ("3765.44", "0.00", "3765.44")
        assert (theirs["balance"], theirs["held"], theirs["available"]) == ("1234.56", "0.00", "1234.56")
        lines = ada.get(f"/transactions/{sent['id']}/entries").json()["results"]
        assert [
            (line["account"], line["direction"], line["amount"], line["balance_after"]) for line in lines
        ] == [
            ("wallet:main", "debit", "1234.56", "3765.44"),
            ("wallet:Chidi O.", "credit", "1234.56", None),
        ]

    def test_both_see_it_each_from_their_side(self, stack: Stack, chidi: Person) -> None:
        ada = stack.person(funds="100.00")
        sent = ada.transfer(chidi, "40.00").json()
        received = chidi.get(f"/transactions/{sent['id']}").json()
        assert (received["direction"], received["counterparty"], received["fee"]) == (
            "in",
            {"name": "Ada O."},
            "0.00",
        )
        line = ada.get("/transactions/history").json()["results"][0]
        assert (line["transaction_id"], line["direction"], line["amount"], line["balance_after"]) == (
            sent["id"],
            "out",
            "40.00",
            "60.00",
        )
        daily = ada.get("/limits").json()["NGN"]["daily"]
        assert (daily["limit"], daily["used"], daily["remaining"]) == ("50000.00", "40.00", "49960.00")

    def test_both_are_told(self, stack: Stack) -> None:
        ada, chidi = stack.person(funds="100.00"), stack.person("Chidi")
        assert ada.transfer(chidi, "40.00").status_code == 201
        eventually(lambda: "transfer.sent" in titles(ada), "the sender is told")
        eventually(lambda: "transfer.received" in titles(chidi), "the receiver is told")
        assert "40.00" in titles(ada)["transfer.sent"]
        assert "40.00" in titles(chidi)["transfer.received"]
        inbox = chidi.get("/notifications").json()
        received = next(found for found in inbox["results"] if found["type"] == "transfer.received")
        assert received["data"]["counterparty"] == "Ada O."
        assert ada.email not in str(inbox)

    def test_a_repeat_with_the_same_key_moves_nothing_more(self, stack: Stack, chidi: Person) -> None:
        ada, key = stack.person(funds="100.00"), str(uuid4())
        first = ada.transfer(chidi, "40.00", key=key)
        without_pin = ada.pay(TRANSFER, {"to": chidi.email, "amount": "40.00"}, key=key)
        assert (without_pin.status_code, without_pin.json()) == (201, first.json())
        assert without_pin.headers["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first.headers
        other = ada.transfer(chidi, "41.00", key=key)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert ada.balance() == "60.00"

    def test_money_goes_back_and_forth_and_nothing_is_lost(self, stack: Stack) -> None:
        ada, bola = stack.person(funds="100.00"), stack.person("Bola")
        for amount, sender, recipient in (
            ("33.33", ada, bola),
            ("0.01", bola, ada),
            ("33.32", bola, ada),
            ("100.00", ada, bola),
        ):
            assert sender.transfer(recipient, amount).status_code == 201
        assert (ada.balance(), bola.balance()) == ("0.00", "100.00")


@pytest.fixture(scope="module")
def rich(stack: Stack) -> Person:
    """Somebody who is refused again and again, and keeps it all."""
    return stack.person(funds="60000.00")


class TestRefusals:
    """Every refusal leaves both wallets as they were."""

    def refused(self, ada: Person, body: dict[str, str], status: int, code: str) -> dict[str, object]:
        before, lines = ada.wallet(), ada.get("/transactions").json()["results"]
        answer = ada.pay(TRANSFER, body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        after = ada.wallet()
        assert {**before, "as_of": None} == {**after, "as_of": None}
        assert ada.get("/transactions").json()["results"] == lines
        return dict(answer.json())

    def test_more_than_there_is(self, stack: Stack, chidi: Person) -> None:
        ada = stack.person(funds="100.00")
        self.refused(ada, {"to": chidi.email, "amount": "100.01", "pin": PIN}, 422, "insufficient_funds")

    def test_somebody_unknown(self, rich: Person) -> None:
        self.refused(
            rich, {"to": "nobody@example.com", "amount": "1.00", "pin": PIN}, 404, "recipient_not_found"
        )

    def test_oneself(self, rich: Person) -> None:
        self.refused(rich, {"to": rich.email, "amount": "1.00", "pin": PIN}, 422, "same_wallet")

    def test_without_identity(self, stack: Stack, chidi: Person) -> None:
        ada = stack.person(tier=0, funds="100.00")
        self.refused(ada, {"to": chidi.email, "amount": "1.00", "pin": PIN}, 403, "kyc_required")

    def test_above_the_tier(self, rich: Person, chidi: Person) -> None:
        told = self.refused(
            rich, {"to": chidi.email, "amount": "50000.01", "pin": PIN}, 422, "limit_exceeded"
        )
        assert told["limit"] == "50000.00"

    def test_a_wrong_pin_is_counted_and_the_fifth_locks(self, stack: Stack, chidi: Person) -> None:
        ada = stack.person(funds="100.00")
        body = {"to": chidi.email, "amount": "1.00", "pin": "9999"}
        for left in (4, 3, 2, 1):
            told = self.refused(ada, body, 403, "invalid_pin")
            assert told["attempts_left"] == left
        self.refused(ada, body, 403, "pin_locked")
        self.refused(ada, {**body, "pin": PIN}, 403, "pin_locked")

    def test_a_repeat_after_a_refusal_by_pin_runs(self, stack: Stack, chidi: Person) -> None:
        ada, key = stack.person(funds="100.00"), str(uuid4())
        wrong = ada.pay(TRANSFER, {"to": chidi.email, "amount": "1.00", "pin": "9999"}, key=key)
        right = ada.transfer(chidi, "1.00", key=key)
        assert (wrong.status_code, right.status_code, ada.balance()) == (403, 201, "99.00")
