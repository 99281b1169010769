"""API2, broken authentication: tokens, sign-in, PIN."""

import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest

from tests.clients import PASSWORD
from tests.flows.abuse.cast import CANARY_PIN, Cast, Customer
from tests.flows.abuse.conftest import Refusals
from tests.flows.abuse.fingerprint import Fingerprint
from tests.flows.abuse.tables import MONEY
from tests.flows.abuse.wire import Wire, check_problem
from tests.stack import Stack
from users import tokens

HOUR_S = 3600
NOBODY = "00000000-0000-4000-8000-000000000000"
TRANSFER = "/transactions/transfer"
# A key that everybody may read, as a server's public key is.
PUBLIC_KEY = (
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PUBLIC KEY-----\n"
)


def forged(
    token: str, *, headers: dict[str, Any] | None = None, key: str | None = None, **changes: Any
) -> str:
    """Sign a token's claims again with changes; None leaves a claim out."""
    claims = {**jwt.decode(token, options={"verify_signature": False}), **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    ring = tokens.key_ring()
    header = {"typ": "JWT", "alg": "HS256", "kid": ring.current_key_id, **(headers or {})}
    signed = f"{_encoded(header)}.{_encoded(claims)}"
    algorithm = jwt.get_algorithm_by_name("HS256")
    secret = (key or ring.keys[ring.current_key_id]).encode()
    return f"{signed}.{urlsafe_b64encode(algorithm.sign(signed.encode(), secret)).rstrip(b'=').decode()}"


def _encoded(part: dict[str, Any]) -> str:
    text = json.dumps(part).replace('"1e400"', "1e400")
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


class TestTokens:
    @pytest.mark.parametrize(
        ("header", "status", "code"),
        [
            ("", 401, "not_authenticated"),
            ("Bearer", 401, "token_invalid"),
            ("Bearer x", 401, "token_invalid"),
            ("Bearer x.y.z", 401, "token_invalid"),
            ("Bearer null", 401, "token_invalid"),
            ("Bearer  ", 401, "token_invalid"),
            ("Basic YWRhOnB3", 401, "not_authenticated"),
            ("Token {token}", 401, "not_authenticated"),
            ("{token}", 401, "not_authenticated"),
            ("Bearer {token}x", 401, "token_invalid"),
            ("Bearer {token}, Bearer {token}", 401, "token_invalid"),
            ("Bearer " + "x" * 5_000, 401, "token_invalid"),
            ("Bearer " + "x" * 100_000, 400, "malformed_request"),
        ],
    )
    def test_2_01_what_is_no_token(
        self, refused: Refusals, cast: Cast, header: str, status: int, code: str
    ) -> None:
        sent = {"Authorization": header.replace("{token}", cast.ada.access)}
        refused("nobody", "GET", "/wallet", headers=sent, status=status, code=code)

    @pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "HS512", "RS256", "ES256", "EdDSA", ""])
    def test_2_03_the_header_does_not_choose_the_algorithm(
        self, refused: Refusals, cast: Cast, algorithm: str
    ) -> None:
        token = forged(cast.ada.access, headers={"alg": algorithm})
        for text in (token, token.rpartition(".")[0] + "."):
            refused("nobody", "GET", "/wallet", token=text, status=401, code="token_invalid")

    @pytest.mark.parametrize(
        "key", [PUBLIC_KEY, "secret", " ", "insecure-development-secret-key-not-for-production"]
    )
    def test_2_03_no_other_key_signs(self, refused: Refusals, cast: Cast, key: str) -> None:
        refused(
            "nobody",
            "GET",
            "/wallet",
            token=forged(cast.ada.access, key=key),
            status=401,
            code="token_invalid",
        )

    @pytest.mark.parametrize("kid", [None, "", "k0", "../../etc/passwd", "k1\u0000", 1, ["k1"], {"k1": 1}])
    def test_2_03_the_header_names_a_key_of_the_ring(self, refused: Refusals, cast: Cast, kid: Any) -> None:
        token = forged(cast.ada.access, headers={"kid": kid})
        refused("nobody", "GET", "/wallet", token=token, status=401, code="token_invalid")

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"iss": "evil"}, "token_invalid"),
            ({"iss": None}, "token_invalid"),
            ({"aud": "evil"}, "token_invalid"),
            ({"aud": None}, "token_invalid"),
            ({"aud": ["evil"]}, "token_invalid"),
            ({"exp": None}, "token_invalid"),
            ({"exp": -1}, "token_expired"),
            ({"exp": "tomorrow"}, "token_invalid"),
            ({"exp": "1e400"}, "token_invalid"),
            ({"exp": [1]}, "token_invalid"),
            ({"nbf": HOUR_S}, "token_invalid"),
            ({"iat": None}, "token_invalid"),
            ({"iat": HOUR_S}, "token_invalid"),
            ({"iat": "now"}, "token_invalid"),
            ({"iat": True}, "token_invalid"),
            ({"typ": "refresh"}, "token_invalid"),
            ({"typ": None}, "token_invalid"),
            ({"sub": None}, "token_invalid"),
            ({"sub": "1"}, "token_invalid"),
            ({"sub": 1}, "token_invalid"),
            ({"sub": ["{ada}"]}, "token_invalid"),
            ({"sub": "{bola}"}, "token_invalid"),
            ({"sub": NOBODY}, "token_invalid"),
            ({"sid": None}, "token_invalid"),
            ({"sid": "' OR 1=1--"}, "token_invalid"),
            ({"sid": NOBODY}, "token_invalid"),
        ],
        ids=str,
    )
    def test_2_05_a_good_signature_over_bad_claims(
        self, refused: Refusals, cast: Cast, changes: dict[str, Any], code: str
    ) -> None:
        people = {"{ada}": cast.ada.id, "{bola}": cast.bola.id}
        filled = {
            name: people.get(value, value) if isinstance(value, str) else value
            for name, value in changes.items()
        }
        for name in ("exp", "nbf", "iat"):
            offset = filled.get(name)
            if isinstance(offset, int) and not isinstance(offset, bool):
                filled[name] = int(time.time()) + offset
        refused(
            "nobody",
            "GET",
            "/wallet",
            token=forged(cast.ada.access, headers=None, key=None, **filled),
            status=401,
            code=code,
        )

    def test_2_05_an_unchanged_forgery_is_good(self, cast: Cast, wire: Wire) -> None:
        assert wire.send("GET", "/api/v1/wallet", token=forged(cast.ada.access)).status == 200

    @pytest.mark.parametrize("name", ["access_token", "token", "authorization", "jwt", "Bearer"])
    def test_2_29_a_token_in_the_address_is_not_looked_at(
        self, wire: Wire, cast: Cast, watch: Fingerprint, name: str
    ) -> None:
        for method, path in (("GET", "/wallet"), ("POST", TRANSFER)):
            with watch.unchanged():
                answer = wire.send(
                    method, f"/api/v1{path}?{name}={cast.ada.access}", {} if method == "POST" else None
                )
            check_problem(answer, 401, "not_authenticated")

    def test_2_29_nor_one_in_a_cookie(self, refused: Refusals, cast: Cast) -> None:
        cookie = (
            f"access={cast.ada.access}; sessionid={cast.ada.access}; Authorization=Bearer {cast.ada.access}"
        )
        refused("nobody", "GET", "/wallet", headers={"Cookie": cookie}, status=401, code="not_authenticated")


class TestSessions:
    def test_2_07_a_closed_session_is_out_at_once(
        self, stack: Stack, refused: Refusals, watch: Fingerprint
    ) -> None:
        left = Customer(stack.address, first_name="Ejiro")
        assert left.call("DELETE", "/auth/sessions").status_code == 204
        watch.settle()
        refused("nobody", "GET", "/users/me", token=left.access, status=401, code="session_revoked")
        refused("nobody", "POST", TRANSFER, {}, token=left.access, status=401, code="session_revoked")
        refused(
            "nobody", "POST", "/auth/refresh", {"refresh": left.refresh}, status=401, code="session_revoked"
        )
        left.close()

    def test_2_09_a_stolen_refresh_token_ends_the_family(
        self, stack: Stack, refused: Refusals, watch: Fingerprint
    ) -> None:
        robbed = Customer(stack.address, first_name="Femi")
        first = robbed.refresh
        second = robbed.post("/auth/refresh", {"refresh": first}).json()
        thief = robbed.call("POST", "/auth/refresh", {"refresh": first}, headers={"User-Agent": "thief"})
        assert (thief.status_code, thief.json()["code"]) == (401, "token_reused")
        watch.settle()
        for token in (first, second["refresh"]):
            refused("nobody", "POST", "/auth/refresh", {"refresh": token}, status=401, code="session_revoked")
        refused("nobody", "GET", "/wallet", token=second["access"], status=401, code="session_revoked")
        assert stack.sql(
            "SELECT 1 FROM notifications_event WHERE user_id = %s AND type = 'session.revoked'", robbed.id
        )
        robbed.close()

    def test_2_11_a_dump_has_no_refresh_token(self, stack: Stack, refused: Refusals, cast: Cast) -> None:
        rows = stack.sql("SELECT encode(token_hash, 'hex') AS hash FROM users_refreshtoken")
        assert all(cast.ada.refresh.encode().hex() not in row["hash"] for row in rows)
        refused(
            "nobody", "POST", "/auth/refresh", {"refresh": rows[-1]["hash"]}, status=401, code="token_invalid"
        )

    @pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout"])
    @pytest.mark.parametrize("refresh", [None, 5, "", [], {}, "x\u0000", "x" * 201, True])
    def test_2_09_what_is_no_refresh_token(self, refused: Refusals, path: str, refresh: Any) -> None:
        refused("nobody", "POST", path, {"refresh": refresh}, status=400, code="validation_error")

    def test_2_09_an_access_token_is_no_refresh_token(self, refused: Refusals, cast: Cast) -> None:
        body = {"refresh": cast.ada.access[:200]}
        refused("nobody", "POST", "/auth/refresh", body, status=401, code="token_invalid")

    @pytest.mark.parametrize(
        "email", ["{bola_email}", "nobody@example.com", "' OR 1=1--", "*", "a@b", "İ@example.com"]
    )
    def test_2_13_a_wrong_pair_is_told_alike_for_everybody(self, refused: Refusals, email: str) -> None:
        body = {"email": email, "password": "not the Password 1"}
        answer = refused("nobody", "POST", "/auth/login", body, status=401, code="invalid_credentials")
        assert "password" in answer.json()["detail"]


class TestPins:
    def test_2_19_five_wrong_pins_lock_even_over_a_restart(
        self, stack: Stack, refused: Refusals, watch: Fingerprint, wire: Wire
    ) -> None:
        guesser = Customer(stack.address, first_name="Gozi")
        guesser.set_pin()
        for left in (4, 3, 2):
            wrong = guesser.pay(TRANSFER, {"to": guesser.email, "amount": "1.00", "pin": "000000"})
            assert (wrong.json()["code"], wrong.json()["attempts_left"]) == ("invalid_pin", left)
        stack.web.restart()
        wrong = guesser.pay(TRANSFER, {"to": guesser.email, "amount": "1.00", "pin": "000001"})
        assert wrong.json()["attempts_left"] == 1
        last = guesser.pay(TRANSFER, {"to": guesser.email, "amount": "1.00", "pin": "000002"})
        assert last.json()["code"] == "pin_locked"
        watch.settle()
        for pin in (CANARY_PIN, "000000"):
            for path in (TRANSFER, "/bills/pay"):
                sent = {**MONEY[path], "pin": pin}
                refused("nobody", "POST", path, sent, token=guesser.access, status=403, code="pin_locked")
        guesser.close()

    @pytest.mark.parametrize("path", [TRANSFER, "/bills/pay", "/payments/pay-bill"])
    def test_2_19_no_pin_and_no_pin_set(self, refused: Refusals, path: str) -> None:
        body = {name: value for name, value in MONEY[path].items() if name != "pin"}
        refused("ada", "POST", path, body, status=403, code="pin_required")
        refused("nneka", "POST", path, {**body, "pin": "5083"}, status=403, code="pin_not_set")

    @pytest.mark.parametrize(
        "pin",
        ["1234", "4321", "0000", "1111", "123456", "654321", "000000", "121212", "1212", "12", "50833", "5083912",
         "", "12a4", "５０８３", "٥٠٨٣", " 5083", "5083 ", "5083\n", "50.83", "-508", "5083\u0000",
         5083, None, True, ["5083"], {"pin": "5083"}],
    )  # fmt: skip
    def test_2_21_an_obvious_or_odd_pin_is_not_taken(self, refused: Refusals, pin: Any) -> None:
        answer = refused(
            "nneka",
            "PUT",
            "/users/me/pin",
            {"pin": pin, "password": PASSWORD},
            status=400,
            code="validation_error",
        )
        assert "pin" in answer.fields

    @pytest.mark.parametrize("pin", ["1990", "0105", "0501", "010590", "900501"])
    def test_2_21_nor_is_the_own_birth_date(self, refused: Refusals, pin: str) -> None:
        body = {"pin": pin, "current_pin": "{pin}"}
        fields = {"pin": "weak_pin"}
        refused("ada", "PUT", "/users/me/pin", body, status=400, code="validation_error", fields=fields)

    def test_2_25_a_pin_is_not_changed_without_proof(self, refused: Refusals) -> None:
        path = "/users/me/pin"
        refused(
            "nneka",
            "PUT",
            path,
            {"pin": "5083"},
            status=400,
            code="validation_error",
            fields={"password": "required"},
        )
        wrong = {"pin": "5083", "password": "not the Password 1"}
        refused("nneka", "PUT", path, wrong, status=403, code="invalid_password")
        refused("ada", "PUT", path, {"pin": "5083"}, status=403, code="pin_required")
        refused("ada", "PUT", path, {"pin": "5083", "password": PASSWORD}, status=403, code="pin_required")

    @pytest.mark.parametrize(
        "change", [{"email": "new@example.com"}, {"phone": "+2348012345678"}, {"password": "x"}]
    )
    def test_2_25_nor_is_what_signs_in(self, refused: Refusals, change: dict[str, str]) -> None:
        fields = dict.fromkeys(change, "unknown_field")
        refused("ada", "PATCH", "/users/me", change, status=400, code="validation_error", fields=fields)


class TestHosts:
    @pytest.mark.parametrize(
        "host",
        ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "evil.example:80", "127.0.0.1:99999x",
         "", "a b", "[::1", "localhost,evil.example", "localhost/evil", "_", "127.0.0.1#evil"],
    )  # fmt: skip
    @pytest.mark.parametrize(
        "path", ["/api/v1/auth/login", "/health", "/api/v1/nowhere", "/admin/login/", "/docs"]
    )
    def test_2_27_another_host_is_not_served(
        self, wire: Wire, watch: Fingerprint, host: str, path: str
    ) -> None:
        method = "POST" if path.endswith("/auth/login") else "GET"
        with watch.unchanged():
            raw = (
                f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            )
            answer = wire.exchange(raw.encode())
        assert answer.status == 400, answer
        assert b"evil" not in answer.body

    def test_2_27_what_came_with_a_wrong_host_is_not_written(self, wire: Wire, cast: Cast) -> None:
        path = f"/api/v1/wallet?access_token={cast.ada.access}"
        for method in ("GET", "POST", "TRACE"):  # the log is searched after the module
            assert wire.send(method, path, headers={"Host": "evil.example"}).status in {400, 405}

    def test_2_27_a_forwarded_host_is_not_believed(self, wire: Wire, cast: Cast) -> None:
        sent = {
            "X-Forwarded-Host": "evil.example",
            "Forwarded": "host=evil.example",
            "X-Host": "evil.example",
        }
        answer = wire.send("GET", "/api/v1/transactions?page_size=1", token=cast.ada.access, headers=sent)
        assert (answer.status, b"evil" in answer.body) == (200, False)
