"""Access tokens: what is accepted, and everything that is not."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from tests.users.people import Phone, code_of
from users import tokens
from users.models import Session, User

Phones = Callable[..., Phone]
pytestmark = pytest.mark.django_db
OTHER_SECRET = "another-secret-of-more-than-thirty-two-bytes"


@pytest.fixture
def app(phone: Phones) -> Phone:
    """A signed-in phone."""
    made = phone()
    made.register()
    return made


def forge(app: Phone, *, key: str | None = None, algorithm: str = "HS256", **changes: Any) -> str:
    """Sign the phone's claims again with changes; None removes a claim."""
    ring = tokens.key_ring()
    claims = jwt.decode(app.tokens["access"], options={"verify_signature": False})
    claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    secret = ring.keys[ring.current_key_id] if key is None else key
    return jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": ring.current_key_id})


def ask(app: Phone, token: str) -> tuple[int, str]:
    """Ask for the profile with this token."""
    answer = app.send("get", "/users/me", Authorization=f"Bearer {token}")
    assert answer["WWW-Authenticate"] == "Bearer"
    return code_of(answer)


def seconds_from_now(seconds: int) -> int:
    return int((timezone.now() + timedelta(seconds=seconds)).timestamp())


IN_AN_HOUR = "in an hour"


class TestAccessToken:
    def test_says_whose_it_is_and_nothing_else(self, app: Phone) -> None:
        header = jwt.get_unverified_header(app.tokens["access"])
        claims = jwt.decode(app.tokens["access"], options={"verify_signature": False})
        session = Session.objects.get()
        assert header == {"alg": "HS256", "kid": "k1", "typ": "JWT"}
        assert set(claims) == {"sub", "sid", "typ", "iat", "exp", "iss", "aud"}
        assert (claims["sub"], claims["sid"]) == (str(session.user_id), str(session.pk))
        assert claims["exp"] - claims["iat"] == 600

    def test_costs_one_query(self, app: Phone, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        with django_assert_num_queries(3):  # the session with its user, then the two that the profile needs
            assert app.send("get", "/users/me").status_code == 200

    @pytest.mark.parametrize("header", ["", "Basic eDp5", "Token x"])
    def test_2_01_without_a_bearer_token_nobody_is_signed_in(self, app: Phone, header: str) -> None:
        answer = app.send("get", "/users/me", Authorization=header)
        assert code_of(answer) == (401, "not_authenticated")
        assert answer["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize("token", ["", "x", "a b", "a.b.c", "é", "." * 50, "x" * 4000])
    def test_2_01_what_is_no_token_is_invalid(self, app: Phone, token: str) -> None:
        assert ask(app, token) == (401, "token_invalid")

    def test_2_01_an_endless_token_is_a_malformed_request(self, app: Phone) -> None:
        answer = app.send("get", "/users/me", Authorization=f"Bearer {'x' * 100_000}")
        assert answer.status_code == 400

    def test_2_03_another_algorithm_or_key_is_invalid(self, app: Phone) -> None:
        unsigned = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (
            {"alg": "none", "kid": "k1", "typ": "JWT"}, {"sub": "x"})]  # fmt: skip
        assert ask(app, f"{unsigned[0]}.{unsigned[1]}.") == (401, "token_invalid")
        assert ask(app, forge(app, key=OTHER_SECRET)) == (401, "token_invalid")
        assert ask(app, forge(app, algorithm="HS512", key=OTHER_SECRET * 2)) == (401, "token_invalid")

    @pytest.mark.parametrize("key_id", [None, "", "k9", 1, ["k1"]])
    def test_2_03_a_key_that_is_not_on_the_ring_is_invalid(self, app: Phone, key_id: Any) -> None:
        claims = jwt.decode(app.tokens["access"], options={"verify_signature": False})
        header = {"alg": "HS256", "typ": "JWT", **({} if key_id is None else {"kid": key_id})}
        parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
        signed = b".".join(parts)
        signature = urlsafe_b64encode(jwt.get_algorithm_by_name("HS256").sign(signed, b"\x00")).rstrip(b"=")
        assert ask(app, (signed + b"." + signature).decode()) == (401, "token_invalid")

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "somebody-else"},
            {"iss": None},
            {"aud": "another-api"},
            {"aud": None},
            {"exp": None},
            {"exp": "tomorrow"},
            {"exp": float("inf")},
            {"nbf": IN_AN_HOUR},
            {"iat": IN_AN_HOUR},
            {"iat": None},
            {"iat": "1"},
            {"typ": "refresh"},
            {"typ": None},
            {"sub": "1"},
            {"sub": None},
            {"sid": "1"},
            {"sid": "00000000-0000-7000-8000-000000000000"},
            {"sub": "00000000-0000-7000-8000-000000000000"},
        ],
    )
    def test_2_05_a_wrong_claim_is_invalid(self, app: Phone, changes: dict[str, Any]) -> None:
        hour = seconds_from_now(3600)
        changes = {name: hour if value == IN_AN_HOUR else value for name, value in changes.items()}
        assert ask(app, forge(app, **changes)) == (401, "token_invalid")

    def test_2_05_one_second_late_is_expired(self, app: Phone) -> None:
        assert ask(app, forge(app, exp=seconds_from_now(-1))) == (401, "token_expired")

    def test_2_07_a_suspended_user_is_out_at_once(self, app: Phone) -> None:
        User.objects.update(is_active=False)
        assert ask(app, app.tokens["access"]) == (401, "session_revoked")
        assert code_of(app.refresh()) == (401, "session_revoked")

    def test_2_29_a_token_in_the_url_is_not_read(self, app: Phone) -> None:
        answer = app.send("get", f"/users/me?access_token={app.tokens['access']}", Authorization="")
        assert answer.status_code == 401


class TestKeyRing:
    def test_a_new_key_signs_while_the_old_one_still_verifies(self, app: Phone, settings: Settings) -> None:
        old = settings.ACCESS_TOKEN_KEYS[0]
        settings.ACCESS_TOKEN_KEYS = [f"k2:{OTHER_SECRET}", old]
        assert app.send("get", "/users/me").status_code == 200
        app.refresh()
        assert jwt.get_unverified_header(app.tokens["access"])["kid"] == "k2"
        assert app.send("get", "/users/me").status_code == 200

    def test_a_key_that_left_the_ring_verifies_nothing(self, app: Phone, settings: Settings) -> None:
        settings.ACCESS_TOKEN_KEYS = [f"k2:{OTHER_SECRET}"]
        assert ask(app, app.tokens["access"]) == (401, "token_invalid")
