"""Sessions and refresh tokens, over the API."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from fintech_core import clock
from notifications.models import Event
from tests.users.people import PASSWORD, Phone, code_of, field_codes, tables
from users.models import RefreshToken, Session
from users.services import sessions
from users.tasks import forget_ended_sessions

Phones = Callable[..., Phone]
pytestmark = pytest.mark.django_db


def later(seconds: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=True)


class TestRefresh:
    def test_gives_a_new_pair_and_spends_the_old_token(self, phone: Phones) -> None:
        app = phone()
        app.register()
        first = app.tokens["refresh"]
        answer = app.refresh()
        assert answer.status_code == 200
        assert set(answer.data) == {"access", "refresh", "access_expires_at"}
        assert answer.data["refresh"] != first
        assert app.send("get", "/users/me").status_code == 200
        assert RefreshToken.objects.filter(consumed_at=None).count() == 1

    def test_the_same_token_within_the_grace_gives_the_same_successor(self, phone: Phones) -> None:
        app = phone(str(uuid4()))
        app.register()
        first = app.tokens["refresh"]
        successor = app.refresh().data["refresh"]
        with later(9):
            again = app.refresh(first)
        assert (again.status_code, again.data["refresh"]) == (200, successor)
        assert RefreshToken.objects.filter(consumed_at=None).count() == 1

    def test_2_09_a_used_token_after_the_grace_kills_the_family(self, phone: Phones) -> None:
        app = phone()
        app.register()
        first = app.tokens["refresh"]
        app.refresh()
        with later(11):
            reused = app.refresh(first)
            assert code_of(reused) == (401, "token_reused")
            assert reused["WWW-Authenticate"] == "Bearer"
            assert code_of(app.refresh()) == (401, "session_revoked")
            assert code_of(app.send("get", "/users/me")) == (401, "session_revoked")
            assert code_of(app.refresh(first)) == (401, "session_revoked")
        session = Session.objects.get()
        assert session.revoked_reason == "token_reused"
        assert [event.payload for event in Event.objects.filter(type="session.revoked")] == [
            {"session_id": str(session.pk), "reason": "token_reused"}
        ]

    @pytest.mark.parametrize("thief", ["0192f0c1-2ab3-7def-8123-456789abcdef", None])
    def test_2_09_another_device_has_no_grace(self, phone: Phones, thief: str | None) -> None:
        app = phone(str(uuid4()))
        app.register()
        first = app.tokens["refresh"]
        app.refresh()
        assert code_of(phone(thief).refresh(first)) == (401, "token_reused")
        assert code_of(app.refresh()) == (401, "session_revoked")

    def test_2_09_without_a_device_id_the_user_agent_tells_devices_apart(self, phone: Phones) -> None:
        app = phone()
        app.client.defaults["HTTP_USER_AGENT"] = "Ours/1.0"
        app.register()
        first = app.tokens["refresh"]
        app.refresh()
        assert app.refresh(first).status_code == 200
        thief = phone()
        thief.client.defaults["HTTP_USER_AGENT"] = "Theirs/1.0"
        assert code_of(thief.refresh(first)) == (401, "token_reused")

    def test_other_sessions_of_the_user_live_on(self, phone: Phones) -> None:
        app, tablet = phone(), phone()
        email = app.register().data["user"]["email"]
        tablet.send("post", "/auth/login", {"email": email, "password": PASSWORD})
        first = app.tokens["refresh"]
        app.refresh()
        with later(11):
            app.refresh(first)
            assert tablet.refresh().status_code == 200

    def test_2_11_refresh_tokens_in_a_dump_are_useless(self, phone: Phones) -> None:
        app = phone()
        app.register()
        stored = bytes(RefreshToken.objects.get().token_hash)
        assert stored == hashlib.sha256(app.tokens["refresh"].encode()).digest()
        before = tables()
        for guess in (stored.hex(), str(RefreshToken.objects.get().pk), str(Session.objects.get().pk)):
            assert code_of(phone().refresh(guess)) == (401, "token_invalid")
        assert tables() == before

    def test_lives_thirty_days(self, phone: Phones) -> None:
        app = phone()
        app.register()
        with later(30 * 86_400 - 60):
            assert app.refresh().status_code == 200
        with later(61 * 86_400):
            assert code_of(app.refresh()) == (401, "token_expired")

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ({}, ("refresh", "required")),
            ({"refresh": 5}, ("refresh", "invalid")),
            ({"refresh": None}, ("refresh", "null")),
            ({"refresh": "x", "user": "y"}, ("user", "unknown_field")),
        ],
    )
    def test_a_malformed_body_changes_nothing(
        self, phone: Phones, body: dict[str, object], fault: tuple[str, str]
    ) -> None:
        phone().register()
        before = tables()
        assert field_codes(phone().send("post", "/auth/refresh", body)) == {fault}
        assert tables() == before


class TestLogout:
    def test_ends_the_session_with_an_old_access_token_and_without_one(self, phone: Phones) -> None:
        app = phone()
        app.register()
        refresh = app.tokens["refresh"]
        with later(3600):
            answer = app.send("post", "/auth/logout", {"refresh": refresh})
        assert answer.status_code == 204
        assert Session.objects.get().revoked_reason == "signed_out"
        assert code_of(app.send("get", "/users/me")) == (401, "session_revoked")
        assert code_of(app.refresh()) == (401, "session_revoked")
        assert phone().send("post", "/auth/logout", {"refresh": refresh}).status_code == 204

    def test_an_unknown_token_changes_nothing(self, phone: Phones) -> None:
        phone().register()
        before = tables()
        assert phone().send("post", "/auth/logout", {"refresh": "unknown"}).status_code == 204
        assert tables() == before


class TestSessions:
    def test_lists_where_one_is_signed_in(self, phone: Phones) -> None:
        device = str(uuid4())
        app, tablet = phone(device), phone()
        app.client.defaults["HTTP_USER_AGENT"] = "App/1.0 " + "x" * 300
        email = app.register().data["user"]["email"]
        tablet.send("post", "/auth/login", {"email": email, "password": PASSWORD})
        rows = app.send("get", "/auth/sessions").data["results"]
        assert [row["current"] for row in rows] == [False, True]
        assert (rows[1]["device_id"], len(rows[1]["user_agent"]), rows[1]["ip"]) == (device, 200, "127.0.0.1")
        assert set(rows[0]) == {
            "id", "device_id", "user_agent", "ip", "created_at", "last_seen_at", "current",
        }  # fmt: skip
        one = app.send("get", f"/auth/sessions/{rows[0]['id']}")
        assert (one.status_code, one.data) == (200, rows[0])

    def test_one_is_ended_from_another_device(self, phone: Phones) -> None:
        app, tablet = phone(), phone()
        email = app.register().data["user"]["email"]
        tablet.send("post", "/auth/login", {"email": email, "password": PASSWORD})
        other = next(
            row["id"] for row in app.send("get", "/auth/sessions").data["results"] if not row["current"]
        )
        assert app.send("delete", f"/auth/sessions/{other}").status_code == 204
        assert code_of(tablet.send("get", "/users/me")) == (401, "session_revoked")
        assert code_of(app.send("delete", f"/auth/sessions/{other}")) == (404, "not_found")
        assert app.send("get", "/users/me").status_code == 200

    def test_all_are_ended_at_once(self, phone: Phones) -> None:
        app, tablet = phone(), phone()
        email = app.register().data["user"]["email"]
        tablet.send("post", "/auth/login", {"email": email, "password": PASSWORD})
        assert app.send("delete", "/auth/sessions").status_code == 204
        assert {code_of(device.refresh()) for device in (app, tablet)} == {(401, "session_revoked")}

    @pytest.mark.parametrize("method", ["get", "delete"])
    def test_1_01_another_persons_session_does_not_exist(self, phone: Phones, method: str) -> None:
        app, stranger = phone(), phone()
        app.register()
        stranger.register()
        mine = app.send("get", "/auth/sessions").data["results"][0]["id"]
        before = tables()
        theirs = stranger.send(method, f"/auth/sessions/{mine}")
        nobodys = stranger.send(method, f"/auth/sessions/{uuid4()}")
        assert code_of(theirs) == code_of(nobodys) == (404, "not_found")
        assert {**theirs.data, "request_id": ""} == {**nobodys.data, "request_id": ""}
        assert tables() == before

    @pytest.mark.parametrize("spelling", ["{}", "upper", "urn:uuid:{}", "5"])
    def test_1_13_an_id_has_one_spelling(self, phone: Phones, spelling: str) -> None:
        app = phone()
        app.register()
        mine = str(Session.objects.get().pk)
        given = mine.upper() if spelling == "upper" else spelling.format(mine)
        expected = 200 if spelling == "{}" else 404
        assert app.send("get", f"/auth/sessions/{given}").status_code == expected

    def test_the_last_refresh_is_seen(self, phone: Phones) -> None:
        app = phone()
        app.register()
        with later(600):
            app.refresh()
            assert abs(Session.objects.get().last_seen_at - clock.now()) < timedelta(seconds=5)


class TestForgetting:
    def test_a_session_goes_ninety_days_after_its_last_token(self, phone: Phones) -> None:
        app = phone()
        app.register()
        app.refresh()
        [last] = RefreshToken.objects.filter(consumed_at=None)
        assert sessions.forget_ended(now=last.expires_at + timedelta(days=89)) == 0
        assert (Session.objects.count(), RefreshToken.objects.count()) == (1, 2)
        assert sessions.forget_ended(now=last.expires_at + timedelta(days=91)) == 1
        assert not Session.objects.exists()
        assert not RefreshToken.objects.exists()

    def test_a_living_session_keeps_its_whole_chain(self, phone: Phones) -> None:
        app = phone()
        app.register()
        for _ in range(3):
            app.refresh()
        forget_ended_sessions()
        assert (Session.objects.count(), RefreshToken.objects.count()) == (1, 4)
