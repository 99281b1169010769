"""People who use the API over HTTP, as an app would."""

import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import httpx2

PASSWORD = "correct-horse-battery-staple-1"
PIN = "5083"
TIMEOUT_S = 30.0
PATIENCE_S = 30.0
# Between two looks; each is a request to what is waited for, so they grow rarer.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.3
# Everybody speaks plain HTTP here: reading the certificates of the world takes longer than most requests.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Client:
    """Speaks JSON to ``/api/v1``; anonymous until ``access`` is set. Safe to use from several threads."""

    def __init__(self, address: str) -> None:
        self.http = httpx2.Client(base_url=f"{address}/api/v1", timeout=TIMEOUT_S, verify=NO_CERTIFICATES)
        self.access = ""

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> httpx2.Response:
        """Send one request; ``body`` is sent as JSON, ``key`` as ``Idempotency-Key``."""
        sent = {"Authorization": f"Bearer {self.access}"} if self.access else {}
        if key is not None:
            sent["Idempotency-Key"] = key
        more: dict[str, Any] = {} if body is None else {"json": body}
        if params is not None:
            more["params"] = dict(params)
        return self.http.request(method, path, headers={**sent, **(headers or {})}, **more)

    def get(self, path: str, **params: Any) -> httpx2.Response:
        """Read; keyword arguments are query parameters."""
        return self.call("GET", path, params=params or None)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx2.Response:
        """Send a POST without a key unless one is given."""
        return self.call("POST", path, body, key=key)

    def pay(self, path: str, body: Any, *, key: str | None = None) -> httpx2.Response:
        """Send a POST that moves money, under a fresh key unless one is given."""
        return self.call("POST", path, body, key=key or str(uuid4()))

    def close(self) -> None:
        """Close the connections."""
        self.http.close()


class Person(Client):
    """Somebody with an account."""

    def __init__(self, address: str, *, first_name: str = "Ada", last_name: str = "Obi") -> None:
        super().__init__(address)
        self.email = f"{first_name.lower()}.{uuid4().hex[:12]}@example.com"
        names = {"first_name": first_name, "last_name": last_name}
        answer = self.post("/auth/register", {"email": self.email, "password": PASSWORD, **names})
        assert answer.status_code == 201, answer.text
        self._take(answer.json())
        self.id: str = answer.json()["user"]["id"]

    def _take(self, tokens: Mapping[str, Any]) -> None:
        self.access, self.refresh = tokens["access"], tokens["refresh"]

    def login(self) -> None:
        """Sign in again, as after ten minutes."""
        answer = Client.call(self, "POST", "/auth/login", {"email": self.email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self._take(answer.json())

    def set_pin(self) -> None:
        """Set the PIN."""
        answer = self.call("PUT", "/users/me/pin", {"pin": PIN, "password": PASSWORD})
        assert answer.status_code == 204, answer.text

    def pass_kyc(self) -> None:
        """Reach tier 1 with a number that the verifier approves."""
        number = f"2{secrets.randbelow(10**10):010d}"
        body = {"tier": 1, "document_type": "bvn", "document_number": number, "date_of_birth": "1990-05-01"}
        answer = self.post("/users/me/kyc", body)
        assert answer.status_code == 201, answer.text
        eventually(lambda: self.get("/users/me").json()["kyc_tier"] == 1, "tier 1 is reached")

    def fund(self, amount: str) -> dict[str, Any]:
        """Pay into the wallet at the sandbox's checkout; returns the succeeded intent."""
        answer = self.pay("/wallet/fund", {"amount": amount})
        assert answer.status_code in {201, 202}, answer.text
        path = f"/payments/intents/{answer.json()['id']}"
        eventually(lambda: bool(self.get(path).json()["checkout_url"]), "the checkout is there")
        paid = self.post(f"{path}/simulate", {"outcome": "success"})
        assert paid.status_code in {200, 202}, paid.text
        eventually(lambda: self.get(path).json()["status"] == "succeeded", "the payment is credited")
        return dict(self.get(path).json())

    def wallet(self, currency: str = "NGN") -> dict[str, Any]:
        """Return balance, held and available."""
        answer = self.get("/wallet/balance", currency=currency)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def balance(self, currency: str = "NGN") -> str:
        """Return the balance as the API writes it."""
        return str(self.wallet(currency)["balance"])

    def transfer(self, to: "Person | str", amount: str, *, key: str | None = None) -> httpx2.Response:
        """Send money to somebody, with the PIN."""
        address = to.email if isinstance(to, Person) else to
        return self.pay("/transactions/transfer", {"to": address, "amount": amount, "pin": PIN}, key=key)

    def pay_bill(self, meter: str, amount: str, *, key: str | None = None, **more: Any) -> httpx2.Response:
        """Pay prepaid electricity, with the PIN; ``meter`` chooses what the sandbox does."""
        body = {"biller": "ikeja-electric", "product": "prepaid", "customer_id": meter, "amount": amount}
        return self.pay("/bills/pay", {**body, "phone": "+2348011111111", "pin": PIN, **more}, key=key)


def eventually(is_so: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until something that another process does has happened; fails when it does not."""
    deadline = time.monotonic() + patience_s
    pause_s = FIRST_PAUSE_S
    while not is_so():
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s in vain: {what}"
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.25, LONGEST_PAUSE_S)
