"""Sign-up, sign-in and the profile, over the API."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from random import randrange

import pytest
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher
from django.db import connection
from pytest_django import Settings

from fintech_core.models import AuditRecord
from notifications.models import Event
from tests.users.people import PASSWORD, Phone, code_of, field_codes, sign_up, tables
from users.models import Session, User
from users.views.me import RENAMES
from wallet.models import Wallet

Phones = Callable[..., Phone]
pytestmark = pytest.mark.django_db


class TestRegister:
    def test_makes_a_user_a_session_a_wallet_and_an_event(self, phone: Phones) -> None:
        answer = phone().register(email="Chidi@Example.COM", phone="0803 123 4567")

        assert answer.status_code == 201
        assert set(answer.data) == {"user", "access", "refresh", "access_expires_at"}
        user = User.objects.get(email="chidi@example.com")
        assert answer.data["user"] == {
            "id": str(user.pk),
            "email": "chidi@example.com",
            "phone": "+2348031234567",
            "first_name": "Chidi",
            "last_name": "Okafor",
            "email_verified": False,
            "phone_verified": False,
            "kyc_tier": 0,
            "kyc_status": "none",
            "has_pin": False,
            "referral_code": user.referral_code,
            "language": "en",
            "created_at": answer.data["user"]["created_at"],
        }
        assert answer.data["user"]["created_at"].endswith("Z")
        assert Wallet.objects.filter(owner=user, currency="NGN").count() == 1
        assert list(Event.objects.filter(user_id=user.pk).values_list("type", flat=True)) == [
            "user.registered"
        ]
        assert user.password.startswith("argon2$argon2id$")

    def test_the_tokens_work_at_once(self, phone: Phones) -> None:
        app = phone()
        app.register()
        assert app.send("get", "/users/me").status_code == 200

    def test_a_taken_address_is_a_field_error_in_any_spelling(self, phone: Phones) -> None:
        phone().register(email="ada@example.com")
        before = tables()
        answer = phone().register(email="ADA@example.com")
        assert field_codes(answer) == {("email", "email_taken")}
        assert tables() == before

    @pytest.mark.parametrize("password", ["short-1", "1234567890123", "password123", "okaforokafor1"])
    def test_a_weak_password_is_a_field_error(self, phone: Phones, password: str) -> None:
        answer = phone().register(email="okaforokafor@example.com", password=password)
        assert {field for field, _ in field_codes(answer)} == {"password"}
        assert not User.objects.exists()

    @pytest.mark.parametrize(
        "number", ["12", "+234", "0803-123-456a", "٠٨٠٣١٢٣٤٥٦٧", 8031234567, "+15550000"]
    )
    def test_a_phone_that_cannot_exist_is_a_field_error(self, phone: Phones, number: object) -> None:
        answer = phone().register(phone=number)
        assert {field for field, _ in field_codes(answer)} == {"phone"}
        assert not User.objects.exists()

    def test_an_unknown_referral_code_is_refused_and_a_known_one_kept(self, phone: Phones) -> None:
        referrer = User.objects.get(pk=phone().register().data["user"]["id"])
        refused = phone().register(referral_code="NOBODYHAS")
        kept = phone().register(referral_code=referrer.referral_code.lower())
        assert field_codes(refused) == {("referral_code", "unknown_referral_code")}
        assert User.objects.get(pk=kept.data["user"]["id"]).referred_by_code == referrer.referral_code
        assert User.objects.count() == 2

    @pytest.mark.parametrize(
        "extra",
        [
            {"is_staff": True},
            {"is_superuser": True},
            {"kyc_tier": 3},
            {"balance": "1000000"},
            {"groups": [1]},
        ],
    )
    def test_3_01_privileges_cannot_be_signed_up_for(self, phone: Phones, extra: dict[str, object]) -> None:
        before = tables()
        answer = phone().register(**extra)
        assert field_codes(answer) == {(next(iter(extra)), "unknown_field")}
        assert tables() == before

    @pytest.mark.parametrize(
        "name", ["", "   ", "Chi\u0000di", "Chi\ndi", "\u202eidihC", "x" * 81, 5, None, ["a"]]
    )
    def test_8_15_a_name_has_printable_characters_only(self, phone: Phones, name: object) -> None:
        answer = phone().register(first_name=name)
        assert {field for field, _ in field_codes(answer)} == {"first_name"}
        assert not User.objects.exists()


class TestLogin:
    def test_answers_like_sign_up(self, phone: Phones) -> None:
        phone().register(email="ada@example.com")
        answer = phone().send("post", "/auth/login", {"email": "ADA@example.com ", "password": PASSWORD})
        assert answer.status_code == 200
        assert set(answer.data) == {"user", "access", "refresh", "access_expires_at"}

    def test_wrong_password_unknown_address_and_suspension_answer_alike(self, phone: Phones) -> None:
        phone().register(email="ada@example.com")
        suspended = phone().register(email="bola@example.com")
        User.objects.filter(pk=suspended.data["user"]["id"]).update(is_active=False)
        before = tables()
        answers = [
            phone().send("post", "/auth/login", {"email": email, "password": password})
            for email, password in [
                ("ada@example.com", "wrong-Password-1"),
                ("nobody@example.com", PASSWORD),
                ("bola@example.com", PASSWORD),
                ("not an address", PASSWORD),
            ]
        ]
        assert {code_of(answer) for answer in answers} == {(401, "invalid_credentials")}
        assert all(answer["WWW-Authenticate"] == "Bearer" for answer in answers)
        bodies = [{k: v for k, v in answer.data.items() if k != "request_id"} for answer in answers]
        assert all(body == bodies[0] for body in bodies)
        assert tables() == before

    def test_an_older_hash_is_upgraded(self, phone: Phones) -> None:
        phone().register(email="ada@example.com")
        old = BCryptSHA256PasswordHasher()
        User.objects.update(password=old.encode(PASSWORD, old.salt()))
        phone().send("post", "/auth/login", {"email": "ada@example.com", "password": PASSWORD})
        assert User.objects.get().password.startswith("argon2$argon2id$")

    def test_2_13_the_eleventh_try_in_a_minute_is_refused(self, phone: Phones, settings: Settings) -> None:
        settings.RATE_LIMITS = True
        body = {"email": sign_up()["email"], "password": PASSWORD}
        app = phone()
        app.client.defaults["REMOTE_ADDR"] = str(IPv4Address(0x0A000000 + randrange(2**24)))
        tries = [app.send("post", "/auth/login", body) for _ in range(11)]
        assert [answer.status_code for answer in tries] == [401] * 10 + [429]
        assert int(tries[-1]["Retry-After"]) >= 1
        assert tries[-1].data["code"] == "rate_limited"

    def test_a_stale_authorization_header_does_not_stand_in_the_way(self, phone: Phones) -> None:
        phone().register(email="ada@example.com")
        answer = phone().send(
            "post",
            "/auth/login",
            {"email": "ada@example.com", "password": PASSWORD},
            Authorization="Bearer old",
        )
        assert answer.status_code == 200

    def test_a_device_id_that_is_no_uuid_is_refused(self, phone: Phones) -> None:
        answer = phone("not-a-uuid").register()
        assert field_codes(answer) == {("X-Device-Id", "invalid")}
        assert not User.objects.exists()


class TestMe:
    def test_names_and_language_change_and_are_audited(self, phone: Phones) -> None:
        app = phone()
        app.register()
        answer = app.send("patch", "/users/me", {"first_name": "Chidinma", "language": "ig"})
        assert (answer.status_code, answer.data["first_name"], answer.data["language"]) == (
            200,
            "Chidinma",
            "ig",
        )
        assert AuditRecord.objects.get(action="user.profile_changed").changes == {
            "first_name": ["Chidi", "Chidinma"],
            "language": ["en", "ig"],
        }

    def test_a_name_changes_some_times_a_day_and_the_language_as_often_as_one_likes(
        self, phone: Phones, settings: Settings
    ) -> None:
        app = phone()
        app.register()
        settings.RATE_LIMITS = True
        bodies = [{"first_name": f"Ada{'a' * number}"} for number in range(RENAMES.limit + 1)]
        answers = [app.send("patch", "/users/me", body) for body in bodies]
        assert [answer.status_code for answer in answers] == [200] * RENAMES.limit + [429]
        assert answers[-1].data["code"] == "rate_limited"
        assert 0 < int(answers[-1]["Retry-After"]) <= RENAMES.per_seconds / RENAMES.limit
        assert User.objects.get().first_name == bodies[-2]["first_name"]
        for body in ({"language": "ig"}, {"language": "en", "first_name": bodies[-2]["first_name"]}):
            assert app.send("patch", "/users/me", body).status_code == 200

    @pytest.mark.parametrize(
        "body", [{"phone": "+2348031234567"}, {"email": "x@example.com"}, {"kyc_tier": 3}, {"is_staff": True}]
    )
    def test_3_03_what_is_read_only_is_an_unknown_field(self, phone: Phones, body: dict[str, object]) -> None:
        app = phone()
        app.register()
        before = tables()
        answer = app.send("patch", "/users/me", body)
        assert field_codes(answer) == {(next(iter(body)), "unknown_field")}
        assert tables() == before

    @pytest.mark.parametrize("query", ["fields=password", "expand=user.password", "include=pin_hash"])
    def test_3_09_a_query_cannot_ask_for_more(self, phone: Phones, query: str) -> None:
        app = phone()
        app.register()
        answer = app.send("get", f"/users/me?{query}")
        assert field_codes(answer) == {(query.partition("=")[0], "unknown_parameter")}

    def test_3_07_the_profile_holds_no_secret(self, phone: Phones) -> None:
        app = phone()
        app.register()
        stored = User.objects.get()
        assert stored.password not in app.send("get", "/users/me").content.decode()


@pytest.mark.concurrency
@pytest.mark.usefixtures("committed_db")
class TestParallelSignUp:
    def test_one_address_becomes_one_account(self, phone: Phones) -> None:
        def sign_up_once(_: int) -> int:
            try:
                return phone().register(email="race@example.com").status_code
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            statuses = sorted(pool.map(sign_up_once, range(8)))
        assert statuses == [201] + [400] * 7
        assert (User.objects.count(), Wallet.objects.count(), Session.objects.count()) == (1, 1, 1)
