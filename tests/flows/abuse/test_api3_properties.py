"""API3, broken object property level authorization: nothing is set that is not offered, nor told that is not theirs."""

import re
from uuid import uuid4

import pytest

from tests.clients import PASSWORD
from tests.flows.abuse.cast import CANARY_PIN, Cast
from tests.flows.abuse.conftest import Refusals
from tests.flows.abuse.routes import routes
from tests.flows.abuse.tables import FORBIDDEN, OF_MONEY, PRICED
from tests.flows.abuse.wire import Wire, check_manners

READ = [
    route
    for route in routes()
    if route.method == "GET" and not route.path.startswith(("/admin/", "/sandbox/"))
]
HASH = re.compile(r"argon2|pbkdf2|\$2b\$|[0-9a-f]{64}")


class TestWhatMayBeSet:
    @pytest.mark.parametrize("name", sorted({*FORBIDDEN, "pin", "wallet", "referred_by", "last_login"}))
    def test_3_01_sign_up_takes_nothing_else(self, refused: Refusals, name: str) -> None:
        person = {
            "email": f"{uuid4().hex}@example.com",
            "password": PASSWORD,
            "first_name": "Ike",
            "last_name": "Oba",
        }
        refused(
            "nobody", "POST", "/auth/register", {**person, name: FORBIDDEN.get(name, "x")},
            status=400, code="validation_error", fields={name: "unknown_field"},
        )  # fmt: skip

    @pytest.mark.parametrize("name", sorted({*FORBIDDEN, "email", "phone", "phone_verified", "kyc_status", "has_pin",
                                             "referral_code", "pin", "password"}))  # fmt: skip
    def test_3_03_a_profile_takes_nothing_else(self, refused: Refusals, name: str) -> None:
        refused(
            "ada", "PATCH", "/users/me", {"first_name": "Adaeze", name: FORBIDDEN.get(name, "x")},
            status=400, code="validation_error", fields={name: "unknown_field"},
        )  # fmt: skip

    @pytest.mark.parametrize("name", ["status", "decided_by", "reason", "user", "user_id", "kyc_tier", "id"])
    def test_3_03_an_identity_case_takes_nothing_else(self, refused: Refusals, name: str) -> None:
        body = {
            "tier": 1,
            "document_type": "bvn",
            "document_number": "22222222222",
            "date_of_birth": "1990-05-01",
        }
        refused(
            "nneka", "POST", "/users/me/kyc", {**body, name: "approved"},
            status=400, code="validation_error", fields={name: "unknown_field"},
        )  # fmt: skip

    @pytest.mark.parametrize("path", sorted(PRICED))
    @pytest.mark.parametrize("name", sorted(OF_MONEY))
    def test_3_05_a_payment_takes_no_price_and_no_source(
        self, refused: Refusals, path: str, name: str
    ) -> None:
        refused(
            "ada", "POST", path, {**PRICED[path], name: OF_MONEY[name]},
            status=400, code="validation_error", fields={name: "unknown_field"},
        )  # fmt: skip

    @pytest.mark.parametrize("name", ["balance", "held", "status", "kind", "owner", "user_id", "id"])
    def test_3_05_a_wallet_is_opened_empty(self, refused: Refusals, name: str) -> None:
        refused(
            "ada", "POST", "/wallets", {"currency": "GHS", name: "1000.00"},
            status=400, code="validation_error", fields={name: "unknown_field"},
        )  # fmt: skip

    @pytest.mark.parametrize(
        "raw",
        [
            b'{"to":"%s","amount":"1.00","amount":"999.00","pin":"739164"}',
            b'{"to":"%s","amount":"1.00","\\u0061mount":"999.00","pin":"739164"}',
            b'{"to":"%s","to":"nobody@example.com","amount":"1.00","pin":"739164"}',
            b'{"to":"%s","amount":"1.00","pin":"739164","metadata":{"a":"1","a":"2"}}',
        ],
    )
    def test_3_11_a_key_stands_once(self, refused: Refusals, cast: Cast, raw: bytes) -> None:
        sent = raw.replace(b"%s", cast.bola.email.encode())
        refused("ada", "POST", "/transactions/transfer", raw=sent, status=400, code="duplicate_key")


class TestWhatIsTold:
    def test_3_07_nothing_secret_and_nothing_of_others_is_told(self, cast: Cast, wire: Wire) -> None:
        sent = cast.ada.pay(
            "/transactions/transfer", {"to": cast.bola.email, "amount": "25.00", "pin": CANARY_PIN}
        )
        assert sent.status_code == 201, sent.text
        facts = {"transaction": sent.json()["id"]}
        for route in READ:
            path = route.path.replace("/transactions/{pk}", f"/transactions/{facts['transaction']}")
            if "{" in path:
                continue
            answer = wire.send("GET", f"/api/v1{path}", token=cast.ada.access)
            check_manners(answer)
            text = answer.body.decode()
            for secret in (
                cast.bola.email,
                cast.bola.bvn,
                cast.facts["bola_token"],
                cast.facts["bola_meter"],
                cast.ada.bvn,
                CANARY_PIN,
                PASSWORD,
                cast.ada.refresh,
            ):
                assert secret not in text, f"{route} tells a secret"
            assert not HASH.search(text), f"{route} tells a hash"

    def test_3_07_a_receiver_learns_a_masked_name_and_no_balance(self, cast: Cast, wire: Wire) -> None:
        sent = cast.ada.pay(
            "/transactions/transfer", {"to": cast.bola.email, "amount": "7.00", "pin": CANARY_PIN}
        )
        path = f"/api/v1/transactions/{sent.json()['id']}"
        seen = wire.send("GET", path, token=cast.bola.access).json()
        entries = wire.send("GET", f"{path}/entries", token=cast.bola.access).json()["results"]
        assert "Obi" not in str(seen["counterparty"])
        assert seen["metadata"] in ({}, None)
        foreign = [entry for entry in entries if entry["direction"] == "debit"]
        assert [entry["balance_after"] for entry in foreign] == [None]

    def test_3_07_a_lookup_tells_a_masked_name_only(self, cast: Cast) -> None:
        found = cast.ada.post("/transactions/transfer/lookup", {"to": cast.bola.email}).json()
        assert found.keys() == {"name", "verified"}
        assert "Obi" not in found["name"]

    @pytest.mark.parametrize(
        "query",
        ["fields=pin_hash", "expand=user.password", "include=owner", "select=*", "depth=9", "format=api", "omit=id",
         "ordering=user__password"],
    )  # fmt: skip
    @pytest.mark.parametrize(
        "path",
        ["/users/me", "/transactions", "/wallets", "/payments/intents", "/auth/sessions", "/bills/payments", "/billers",
         "/cashback/history", "/cashback/summary"],
    )  # fmt: skip
    def test_3_09_no_parameter_widens_an_answer(self, refused: Refusals, path: str, query: str) -> None:
        name = query.partition("=")[0]
        refused(
            "ada", "GET", f"{path}?{query}",
            status=400, code="validation_error", fields={name: "unknown_parameter"},
        )  # fmt: skip


def test_3_01_nobody_is_staff_after_all_that(cast: Cast) -> None:
    made = "SELECT email FROM users_user WHERE is_staff AND first_name IN ('Ike', 'Ada', 'Bola', 'Nneka')"
    assert cast.stack.sql(made) == []
