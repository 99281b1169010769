"""Who takes part: customers with money, one without, staff; and the secrets of all of them."""

import os
import re
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.clients import PASSWORD, Client, Person, eventually
from tests.flows.billing import DELIVERED, meter
from tests.flows.checkout import all_told
from tests.grounds import ROOT
from tests.stack import COMMAND_LIMIT_S, Stack

FUNDS = "20000.00"
STAFF_PASSWORD = "a-staff-Password-of-the-tests-7"
# Six digits, so that it can be told from other numbers in a log.
CANARY_PIN = "739164"
# Access tokens live ten minutes.
SIGN_IN_AGAIN_AFTER_S = 240.0


class Customer(Person):
    """Somebody whose PIN and document number are canaries."""

    bvn: str = ""

    def set_pin(self) -> None:
        """Set the canary PIN."""
        answer = self.call("PUT", "/users/me/pin", {"pin": CANARY_PIN, "password": PASSWORD})
        assert answer.status_code == 204, answer.text

    def pass_kyc(self) -> None:
        """Reach tier 1, and keep the number for the search."""
        self.bvn = f"2{secrets.randbelow(10**10):010d}"
        body = {"tier": 1, "document_type": "bvn", "document_number": self.bvn, "date_of_birth": "1990-05-01"}
        answer = self.post("/users/me/kyc", body)
        assert answer.status_code == 201, answer.text
        eventually(lambda: self.get("/users/me").json()["kyc_tier"] == 1, "tier 1 is reached")


class Staff(Client):
    """A superuser, made by the operators' own command."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack.address)
        self.email = f"staff.{uuid4().hex[:12]}@example.com"
        command = [sys.executable, "manage.py", "createsuperuser", "--noinput", f"--email={self.email}"]
        command += ["--first_name=Sade", "--last_name=Cole"]
        environment = {**os.environ, **stack.environment, "DJANGO_SUPERUSER_PASSWORD": STAFF_PASSWORD}
        subprocess.run(
            command, cwd=ROOT, env=environment, check=True, timeout=COMMAND_LIMIT_S, capture_output=True
        )
        self.login()

    def login(self) -> None:
        """Sign in."""
        answer = self.post("/auth/login", {"email": self.email, "password": STAFF_PASSWORD})
        assert answer.status_code == 200, answer.text
        self.access, self.refresh = answer.json()["access"], answer.json()["refresh"]
        self.id: str = answer.json()["user"]["id"]


@dataclass
class Cast:
    """Ada attacks, Bola is attacked, Nneka is new here; ``facts`` are what tables name in braces."""

    stack: Stack
    ada: Customer
    bola: Customer
    nneka: Customer
    staff: Staff
    facts: dict[str, str] = field(default_factory=dict)
    signed_in_at: float = field(default_factory=time.monotonic)
    secrets: set[str] = field(default_factory=set)

    @classmethod
    def call(cls, stack: Stack) -> "Cast":
        """Sign everybody up, and let money and messages be there to be stolen."""
        ada, bola = (Customer(stack.address, first_name=name) for name in ("Ada", "Bola"))
        for customer in (ada, bola):
            customer.set_pin()
            customer.pass_kyc()
            customer.fund(FUNDS)
        cast = cls(stack, ada, bola, Customer(stack.address, first_name="Nneka"), Staff(stack))
        cast.remember()
        cast.facts |= {"bola_email": bola.email, "ada_email": ada.email, "nneka_email": cast.nneka.email}
        cast.facts |= {"pin": CANARY_PIN, "staff_id": cast.staff.id}
        for name, customer in (("ada", ada), ("bola", bola)):
            cast.facts |= {
                f"{name}_{kind}": first for kind, first in _belongings(customer, cast.staff).items()
            }
            all_told(stack, customer)
        cast.secrets |= {cast.facts["ada_token"], cast.facts["bola_token"]}
        return cast

    @property
    def everybody(self) -> list[Client]:
        """All who can sign in."""
        return [self.ada, self.bola, self.nneka, self.staff]

    def token(self, who: str) -> str:
        """Return somebody's access token; nobody has none."""
        return "" if who == "nobody" else str(getattr(self, who).access)

    def fill(self, value: Any) -> Any:
        """Put facts where a table names them: ``{bola_email}``."""
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda found: self.facts.get(found[1], found[0]), value)
        if isinstance(value, dict):
            return {name: self.fill(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner) for inner in value]
        return value

    def refresh(self) -> None:
        """Sign everybody in again before their tokens expire."""
        if time.monotonic() - self.signed_in_at < SIGN_IN_AGAIN_AFTER_S:
            return
        for person in self.everybody:
            person.login()  # type: ignore[attr-defined]
        self.signed_in_at = time.monotonic()
        self.remember()

    def remember(self) -> None:
        """Note every secret that must never be read anywhere."""
        self.secrets |= {PASSWORD, STAFF_PASSWORD, self.ada.bvn, self.bola.bvn} - {""}
        self.secrets |= {token for person in self.everybody for token in (person.access, person.refresh)}  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close every connection."""
        for person in self.everybody:
            person.close()


def _belongings(customer: Customer, friend: Staff) -> dict[str, str]:
    """Return one id of each kind of thing that a customer owns, and meter and token of a bill that was paid."""
    gift = {"items": [{"to": friend.email, "amount": "1.00"}], "pin": CANARY_PIN}
    sent = customer.pay("/transactions/transfer/bulk", gift)
    assert sent.status_code == 201, sent.text
    body = {"biller": "ikeja-electric", "product": "prepaid", "customer_id": meter(DELIVERED)}
    quote = customer.post("/bills/validate", body)
    assert quote.status_code == 200, quote.text
    bill = customer.pay("/bills/pay", {**body, "amount": "1000.00", "pin": CANARY_PIN})
    assert bill.status_code == 201, bill.text
    lists = {
        "session": "/auth/sessions",
        "transaction": "/transactions",
        "intent": "/payments/intents",
        "payment": "/bills/payments",
        "notification": "/notifications",
    }
    eventually(lambda: bool(customer.get("/notifications").json()["results"]), "a notification is there")
    found = {kind: customer.get(path).json()["results"][0]["id"] for kind, path in lists.items()}
    found["wallet"] = customer.get("/wallet").json()["id"]
    return {
        **found,
        "bulk": sent.json()["id"],
        "quote": quote.json()["quote_id"],
        "meter": body["customer_id"],
        "token": bill.json()["token"],
    }
