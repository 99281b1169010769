"""Rate limits: exact under concurrency, strict without Redis, told in headers."""

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import structlog
from django.test import RequestFactory
from pytest_django.fixtures import Settings
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.viewsets import ViewSet

from fintech_core import lua, throttling
from fintech_core.addresses import client_address, network_of
from fintech_core.exceptions import problem_handler
from fintech_core.parsing import StrictJSONParser
from fintech_core.throttling import LocalLimiter, Rate, RateLimitHeaders, RouteThrottle
from tests.fintech_core.peers import closed_port


class Person:
    """Somebody who is signed in."""

    is_authenticated = True

    def __init__(self, pk: str) -> None:
        self.pk = pk


def account(request: Any) -> str | None:
    """Key of a sign-in: the e-mail address it is for."""
    email = request.data.get("email")
    return email.lower() if isinstance(email, str) else None


def view_with(**rate_limits: tuple[Rate, ...]) -> type[ViewSet]:
    """Make a view set with these limits, as the API's own base does."""

    class Limited(RateLimitHeaders, ViewSet):
        authentication_classes = ()
        permission_classes = ()
        throttle_classes = (RouteThrottle,)
        parser_classes = (StrictJSONParser,)

        def get_exception_handler(self) -> Callable[..., Any]:
            return problem_handler

        def act(self, request: Any) -> Response:
            return Response({})

        def other(self, request: Any) -> Response:
            return Response({})

    Limited.rate_limits = rate_limits
    return Limited


@pytest.fixture(autouse=True)
def _limits_are_on(settings: Settings) -> None:
    settings.RATE_LIMITS = True


@pytest.fixture
def redis_down(settings: Settings) -> Iterator[None]:
    """A Redis that refuses connections."""
    location = f"redis://127.0.0.1:{closed_port()}/0"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": location}}
    yield
    time.sleep(lua.PAUSE_S)


def rate(limit: int, per_seconds: int = 60, key: Any = "user") -> Rate:
    """Make a rate that no other test counts on."""
    return Rate(limit, per_seconds, key, f"r-{uuid.uuid4().hex[:12]}")


def post(
    view: type[ViewSet], *, action: str = "act", user: str = "1", body: Any = None, **meta: Any
) -> Response:
    """Send one request as somebody."""
    request = APIRequestFactory().post("/", body or {}, format="json", **meta)
    if user:
        force_authenticate(request, user=Person(user))  # type: ignore[arg-type]
    response: Response = view.as_view({"post": action})(request)
    return response


class TestLimit:
    def test_of_eighty_parallel_requests_exactly_the_limit_passes(self) -> None:
        view = view_with(act=(rate(10),))
        with ThreadPoolExecutor(80) as pool:
            found = [response.status_code for response in pool.map(lambda _: post(view), range(80))]
        assert sorted(found) == [200] * 10 + [429] * 70

    def test_people_do_not_share_a_count(self) -> None:
        view = view_with(act=(rate(1),))
        assert [post(view, user=user).status_code for user in ("1", "1", "2")] == [200, 429, 200]

    def test_rates_of_one_name_share_a_count_between_actions(self) -> None:
        shared = rate(1)
        view = view_with(act=(shared,), other=(shared,))
        assert post(view).status_code == 200
        assert post(view, action="other").status_code == 429

    def test_a_request_refused_by_one_rate_counts_against_none(self) -> None:
        tight, wide = rate(1), rate(3)
        both, only_wide = view_with(act=(tight, wide)), view_with(act=(wide,))
        assert [post(both).status_code for _ in range(4)] == [200, 429, 429, 429]
        assert [post(only_wide).status_code for _ in range(3)] == [200, 200, 429]

    def test_quota_comes_back_evenly(self) -> None:
        view = view_with(act=(rate(4, per_seconds=2),))
        assert [post(view).status_code for _ in range(5)] == [200] * 4 + [429]
        time.sleep(0.55)
        assert [post(view).status_code for _ in range(2)] == [200, 429]

    def test_routes_without_a_declaration_have_the_default(self) -> None:
        view, person = view_with(), uuid.uuid4().hex
        found = [post(view, user=person).status_code for _ in range(122)]
        assert found[:120] == [200] * 120
        assert 429 in found[120:]
        assert post(view, user=person, action="other").status_code == 200

    def test_strangers_are_counted_by_address(self) -> None:
        view = view_with(act=(rate(1),))
        addresses = ("192.0.2.1", "192.0.2.1", "192.0.2.2")
        found = [post(view, user="", REMOTE_ADDR=address).status_code for address in addresses]
        assert found == [200, 429, 200]

    def test_switched_off_it_counts_nothing(self, settings: Settings) -> None:
        settings.RATE_LIMITS = False
        view = view_with(act=(rate(1),))
        found = [post(view) for _ in range(3)]
        assert [response.status_code for response in found] == [200] * 3
        assert "RateLimit" not in found[0]


class TestUnits:
    def charged(self, limit: Rate, *units: int) -> Response:
        """Ask a view that finds out only then how much it was asked for."""

        class Charging(view_with(act=())):  # type: ignore[misc]
            def act(self, request: Any) -> Response:
                for found in units:
                    self.charge(request, limit, units=found)
                return Response({})

        return post(Charging)

    def test_several_go_through_while_one_is_left_and_the_rest_is_owed(self) -> None:
        limit = rate(10)
        assert [self.charged(limit, units).status_code for units in (9, 5, 1)] == [200, 200, 429]
        refused = self.charged(limit, 1)
        assert refused.data["code"] == "rate_limited"
        assert 20 <= int(refused["Retry-After"]) <= 30  # fourteen were taken, and the next is the fifteenth
        assert re.fullmatch(rf'"{limit.name}";r=0;t=(7\d|8[0-4])', refused["RateLimit"])

    def test_what_is_refused_owes_nothing(self) -> None:
        limit = rate(4, per_seconds=2)
        assert [self.charged(limit, units).status_code for units in (4, 100)] == [200, 429]
        time.sleep(0.55)
        assert self.charged(limit, 1).status_code == 200

    def test_nothing_costs_nothing(self) -> None:
        limit = rate(1)
        answers = [self.charged(limit, 0) for _ in range(3)]
        assert [(answer.status_code, "RateLimit" in answer) for answer in answers] == [(200, False)] * 3
        assert self.charged(limit, 1).status_code == 200

    def test_the_headers_tell_the_last_state_of_a_rate(self) -> None:
        limit = rate(10)
        assert self.charged(limit, 2, 3)["RateLimit"] == f'"{limit.name}";r=5;t=30'

    def test_of_many_that_take_it_all_at_once_one_goes_through(self) -> None:
        limit = rate(10)
        with ThreadPoolExecutor(20) as pool:
            found = [answer.status_code for answer in pool.map(lambda _: self.charged(limit, 20), range(20))]
        assert sorted(found) == [200] + [429] * 19

    def test_switched_off_it_counts_nothing(self, settings: Settings) -> None:
        settings.RATE_LIMITS = False
        limit = rate(1)
        assert [self.charged(limit, 5).status_code for _ in range(2)] == [200, 200]

    def test_without_redis_it_is_owed_too(self, redis_down: None) -> None:
        limit = rate(40)
        assert [self.charged(limit, units).status_code for units in (9, 5, 1)] == [200, 200, 429]


class TestKeyFromTheBody:
    def test_an_account_is_one_whatever_its_capitals(self) -> None:
        view = view_with(act=(rate(1, key=account),))
        assert post(view, body={"email": "Ada@example.com"}).status_code == 200
        assert post(view, body={"email": "ada@EXAMPLE.com"}).status_code == 429
        assert post(view, body={"email": "bola@example.com"}).status_code == 200

    def test_a_rate_without_a_key_does_not_concern_the_request(self) -> None:
        view = view_with(act=(rate(1, key=account),))
        assert [post(view).status_code for _ in range(3)] == [200] * 3

    def test_unreadable_bodies_count_against_the_other_rates(self) -> None:
        view = view_with(act=(rate(1, key=account), rate(2, key="address")))
        send = view.as_view({"post": "act"})
        found = []
        for _ in range(3):
            request = APIRequestFactory().post("/", b"{", content_type="application/json")
            found.append(send(request).data["code"])
        assert found == ["malformed_json", "malformed_json", "rate_limited"]


class TestHeaders:
    def test_every_answer_tells_the_policy_and_what_is_left(self) -> None:
        limit = Rate(10, 60, "user", f"login-{uuid.uuid4().hex[:6]}")
        view = view_with(act=(limit,))
        first = post(view)
        assert first["RateLimit-Policy"] == f'"{limit.name}";q=10;w=60'
        assert first["RateLimit"] == f'"{limit.name}";r=9;t=6'
        assert post(view)["RateLimit"] == f'"{limit.name}";r=8;t=12'

    def test_a_refusal_says_when_to_come_back(self) -> None:
        view = view_with(act=(rate(2),))
        refused = [post(view) for _ in range(3)][-1]
        assert (refused.status_code, refused.data["code"], refused.data["retryable"]) == (
            429,
            "rate_limited",
            True,
        )
        assert 29 <= int(refused["Retry-After"]) <= 30
        assert re.fullmatch(r'"r-\w+";r=0;t=(59|60)', refused["RateLimit"])

    def test_several_rates_stand_side_by_side(self) -> None:
        one, two = rate(5), rate(100, per_seconds=3600)
        found = post(view_with(act=(one, two)))
        assert found["RateLimit-Policy"] == f'"{one.name}";q=5;w=60, "{two.name}";q=100;w=3600'

    @pytest.mark.parametrize(
        "wrong",
        [
            {"limit": 0},
            {"per_seconds": 0},
            {"key": "session"},
            {"name": 'a"b'},
            {"name": "é"},
            {"name": "a\nb"},
        ],
    )
    def test_a_rate_that_cannot_be_is_refused(self, wrong: Mapping[str, Any]) -> None:
        with pytest.raises(ValueError, match="not a"):
            Rate(**{"limit": 1, "per_seconds": 1, "key": "user", "name": "n", **wrong})


class TestRedisDown:
    def test_a_quarter_passes_and_never_everything(self, redis_down: None) -> None:
        view = view_with(act=(rate(40),))
        with ThreadPoolExecutor(16) as pool:
            found = [response.status_code for response in pool.map(lambda _: post(view), range(60))]
        assert sorted(found) == [200] * 10 + [429] * 50

    def test_it_complains_once(self, redis_down: None) -> None:
        lua._health._complain_at = 0.0
        view = view_with(act=(rate(40),))
        with structlog.testing.capture_logs() as lines:
            for _ in range(5):
                post(view)
        assert [line["event"] for line in lines].count("redis_down") == 1


class TestLocalLimiter:
    def test_it_refills_with_time(self) -> None:
        now = [100.0]
        limiter = LocalLimiter(now_s=lambda: now[0])
        keyed = [(Rate(8, 60, "user", "n"), "k")]
        assert [limiter.judge(keyed)[0].allowed for _ in range(3)] == [True, True, False]
        now[0] += 30
        verdict = limiter.judge(keyed)[0]
        assert (verdict.allowed, verdict.remaining, verdict.reset_s) == (True, 0, 60.0)

    def test_a_full_table_refuses_strangers_until_there_is_room(self) -> None:
        now = [0.0]
        limiter = LocalLimiter(max_keys=2, now_s=lambda: now[0])
        limit = Rate(8, 60, "user", "n")
        assert [limiter.judge([(limit, key)])[0].allowed for key in "abca"] == [True, True, False, True]
        now[0] += 61
        assert limiter.judge([(limit, "c")])[0].allowed

    @pytest.mark.parametrize("units", [1, 5])
    def test_it_agrees_with_the_script(self, units: int) -> None:
        limit = rate(12)
        key = lua.key("rate", "test", limit.name)
        in_redis = [throttling._judge_in_redis([(limit, key)], units=units)[0] for _ in range(14)]
        now = [0.0]
        limiter = LocalLimiter(now_s=lambda: now[0])
        wide = Rate(limit.limit * throttling.FALLBACK_SHARE, 60, "user", limit.name)
        local = [limiter.judge([(wide, key)], units=units)[0] for _ in range(14)]
        assert [(v.allowed, v.remaining) for v in in_redis] == [(v.allowed, v.remaining) for v in local]


class TestClientAddress:
    @pytest.mark.parametrize(
        ("proxies", "forwarded", "expected"),
        [
            (0, "203.0.113.9", "192.0.2.1"),
            (1, "203.0.113.9", "203.0.113.9"),
            (1, "1.1.1.1, 203.0.113.9", "203.0.113.9"),
            (2, "1.1.1.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
            (2, "203.0.113.9", "192.0.2.1"),
            (1, "nonsense", "192.0.2.1"),
            (1, "", "192.0.2.1"),
            (1, "::ffff:203.0.113.9", "203.0.113.9"),
            (1, " 2001:DB8::0001 ", "2001:db8::1"),
        ],
    )
    def test_only_what_trusted_proxies_added_counts(
        self, settings: Settings, proxies: int, forwarded: str, expected: str
    ) -> None:
        settings.TRUSTED_PROXIES = proxies
        request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)
        assert client_address(request) == expected

    def test_a_unix_socket_has_no_address(self) -> None:
        assert client_address(RequestFactory().get("/", REMOTE_ADDR="")) == "unknown"

    def test_an_ipv6_customer_is_a_whole_64(self) -> None:
        assert network_of("2001:db8:0:1:aaaa::1") == network_of("2001:db8:0:1:bbbb::2") == "2001:db8:0:1::/64"
        assert network_of("192.0.2.1") == "192.0.2.1"
