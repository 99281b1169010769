"""The inbox, the catalogue and the sandbox's mailbox over HTTP."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from notifications.models import Message
from notifications.services import deliver_due, relay_due
from tests.notifications.samples import make_user, published

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
URL = "/api/v1/notifications"


@pytest.fixture
def ada() -> Any:
    """A user with three unread messages, about three kinds of things."""
    user = make_user(email="ada@example.com")
    for name in ("user.registered", "pin.set", "cashback.earned"):
        published(name, user.pk)
    relay_due()
    return user


def read_times(user: Any) -> list[Any]:
    """Return when each of the user's messages was read."""
    return list(Message.objects.filter(user_id=user.pk).order_by("id").values_list("read_at", flat=True))


class TestInbox:
    def test_lists_newest_first_with_every_field(self, api: Api, ada: Any) -> None:
        body = api(ada).get(URL).json()
        assert set(body) == {"next", "previous", "unread_count", "results"}
        assert (body["next"], body["previous"], body["unread_count"]) == (None, None, 3)
        assert [message["type"] for message in body["results"]] == [
            "cashback.earned",
            "pin.set",
            "user.registered",
        ]
        first = body["results"][0]
        assert set(first) == {
            "id", "type", "category", "title", "body", "data", "read", "read_at", "created_at",
        }  # fmt: skip
        assert (first["category"], first["read"], first["read_at"]) == ("rewards", False, None)
        assert first["data"]["amount"] == "1500.00"
        assert first["created_at"].endswith("Z")

    def test_pages_by_cursor_without_loss_or_repeat(self, api: Api, ada: Any) -> None:
        first = api(ada).get(URL, {"page_size": 2}).json()
        second = api(ada).get(first["next"]).json()
        seen = [message["id"] for page in (first, second) for message in page["results"]]
        assert len(seen) == len(set(seen)) == 3
        assert (second["next"], second["unread_count"]) == (None, 3)

    def test_holds_nobody_elses_messages(self, api: Api, ada: Any) -> None:
        body = api(make_user()).get(URL).json()
        assert (body["unread_count"], body["results"]) == (0, [])

    def test_needs_a_signed_in_user(self, api: Api, ada: Any) -> None:
        for answer in (
            api().get(URL),
            api().post(f"{URL}/read-all"),
            api().post(f"{URL}/{Message.objects.first().pk}/read"),  # type: ignore[union-attr]
        ):
            assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert read_times(ada) == [None, None, None]

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"unread": "1"}, "unknown_parameter"),
            ({"page_size": "0"}, "invalid"),
            ({"page_size": "101"}, "invalid"),
            ({"page_size": "١٢"}, "invalid"),
        ],
    )
    def test_a_query_it_does_not_know_is_refused(
        self, api: Api, ada: Any, query: dict[str, str], code: str
    ) -> None:
        answer = api(ada).get(URL, query)
        assert answer.status_code == 400
        assert answer.json()["code"] == "validation_error"
        assert answer.json()["errors"][0]["code"] == code


class TestInboxPolling:
    def test_answers_304_while_nothing_changes(self, api: Api, ada: Any) -> None:
        first = api(ada).get(URL)
        assert first["Cache-Control"] == "private, no-cache"
        again = api(ada).get(URL, headers={"If-None-Match": f'"other", {first["ETag"]}'})
        assert again.status_code == 304
        assert again.content == b""
        assert again["ETag"] == first["ETag"]

    def test_a_new_message_changes_the_etag(self, api: Api, ada: Any) -> None:
        before = api(ada).get(URL)["ETag"]
        published("pin.locked", ada.pk)
        relay_due()
        after = api(ada).get(URL, headers={"If-None-Match": before})
        assert (after.status_code, after.json()["unread_count"]) == (200, 4)

    def test_reading_changes_the_etag_of_every_page(self, api: Api, ada: Any) -> None:
        before = api(ada).get(URL, {"page_size": 1})["ETag"]
        api(ada).post(f"{URL}/{Message.objects.order_by('id')[0].pk}/read")
        after = api(ada).get(URL, {"page_size": 1}, headers={"If-None-Match": before})
        assert (after.status_code, after.json()["unread_count"]) == (200, 2)

    def test_two_people_with_alike_messages_have_their_own_etags(self, api: Api, ada: Any) -> None:
        other = make_user()
        for name in ("user.registered", "pin.set", "cashback.earned"):
            published(name, other.pk)
        relay_due()
        assert api(ada).get(URL)["ETag"] != api(other).get(URL)["ETag"]


class TestReading:
    def test_marks_one_and_answers_it(self, api: Api, ada: Any) -> None:
        message = Message.objects.order_by("id")[0]
        answer = api(ada).post(f"{URL}/{message.pk}/read")
        assert answer.status_code == 200
        assert (answer.json()["id"], answer.json()["read"]) == (str(message.pk), True)
        assert [at is not None for at in read_times(ada)] == [True, False, False]

    def test_again_keeps_the_first_time(self, api: Api, ada: Any) -> None:
        url = f"{URL}/{Message.objects.order_by('id')[0].pk}/read"
        first = api(ada).post(url).json()
        assert api(ada).post(url).json() == first

    def test_somebody_elses_answers_like_one_that_does_not_exist(self, api: Api, ada: Any) -> None:
        stranger = api(make_user())
        theirs = stranger.post(f"{URL}/{Message.objects.first().pk}/read")  # type: ignore[union-attr]
        nobodys = stranger.post(f"{URL}/{uuid4()}/read")
        for answer in (theirs, nobodys):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
            assert answer["Content-Type"] == "application/problem+json"
        assert {**theirs.json(), "request_id": 0} == {**nobodys.json(), "request_id": 0}
        assert read_times(ada) == [None, None, None]

    def test_a_body_with_fields_is_refused(self, api: Api, ada: Any) -> None:
        message = Message.objects.order_by("id")[0]
        for url in (f"{URL}/{message.pk}/read", f"{URL}/read-all"):
            answer = api(ada).post(url, {"read": False}, format="json")
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["code"] == "unknown_field"
        assert read_times(ada) == [None, None, None]

    def test_all_are_marked_and_only_mine(self, api: Api, ada: Any) -> None:
        other = make_user()
        published("pin.set", other.pk)
        relay_due()
        answer = api(ada).post(f"{URL}/read-all")
        assert (answer.status_code, answer.json()) == (200, {"unread_count": 0})
        assert None not in read_times(ada)
        assert read_times(other) == [None]


class TestEventTypes:
    def test_lists_the_catalogue_by_name_without_what_is_internal(self, api: Api) -> None:
        body = api(make_user()).get("/api/v1/events/types", {"page_size": 100}).json()
        assert (body["next"], body["previous"]) == (None, None)
        names = [kind["name"] for kind in body["results"]]
        assert names == sorted(names)
        assert "transfer.sent" in names
        assert "ledger.invariant_broken" not in names
        sent = body["results"][names.index("transfer.sent")]
        assert "amount" in sent["fields_always"]
        assert sent["fields_optional"] == ["fee"]
        assert sent["channels"] == ["in_app", "email"]

    def test_has_pages_there_and_back(self, api: Api) -> None:
        client = api(make_user())
        whole = client.get("/api/v1/events/types", {"page_size": 100}).json()["results"]
        there, back = [], []
        link = "/api/v1/events/types?page_size=10"
        while link:
            page = client.get(link).json()
            there.append(page["results"])
            last, link = link, page["next"]
        link = last
        while link:
            page = client.get(link).json()
            back.insert(0, page["results"])
            link = page["previous"]
        assert [row for page in there for row in page] == whole
        assert there == back
        assert {len(page) for page in there[:-1]} == {10}

    @pytest.mark.parametrize(
        "query", ["page_size=0", "page_size=101", "cursor=nonsense", "cursor=cD14", "cursor=cj0x"]
    )
    def test_a_page_that_cannot_be_is_400(self, api: Api, query: str) -> None:
        answer = api(make_user()).get(f"/api/v1/events/types?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, query.partition("=")[0])


class TestSandboxMailbox:
    URL = "/api/v1/sandbox/messages"

    def test_shows_what_was_written_to_an_address_newest_first(self, api: Api, ada: Any) -> None:
        other = make_user(email="bola@example.com")
        published("pin.set", other.pk)
        relay_due()
        deliver_due()
        body = api().get(self.URL, {"to": "Ada@Example.com"}).json()
        assert [message["subject"] for message in body["results"]] == [
            "Your PIN was changed",
            "Welcome to Fintech Core",
        ]
        first = body["results"][0]
        assert set(first) == {"id", "channel", "to", "subject", "body", "status", "created_at", "sent_at"}
        assert (first["to"], first["status"]) == ("ada@example.com", "sent")
        assert "Hello Ada" in first["body"]

    def test_the_address_is_required(self, api: Api) -> None:
        answer = api().get(self.URL)
        assert answer.status_code == 400
        assert answer.json()["errors"][0] == {
            "field": "to",
            "code": "required",
            "detail": "This field is required.",
        }

    @pytest.mark.parametrize(
        "change", [{"OTP_MODE": "live"}, {"PRODUCTION": True}], ids=["live codes", "production"]
    )
    def test_does_not_exist_where_messages_really_go_out(
        self, api: Api, ada: Any, settings: Any, change: dict[str, Any]
    ) -> None:
        for name, value in change.items():
            setattr(settings, name, value)
        for query in ({"to": "ada@example.com"}, {}, {"other": "1"}):
            answer = api().get(self.URL, query)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
            assert "ada" not in answer.content.decode()
