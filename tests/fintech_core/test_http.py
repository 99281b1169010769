"""The outgoing client against real peers that behave badly."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import structlog
from django.db import transaction

from fintech_core import http
from fintech_core.outcomes import Outcome, ProviderError
from tests.fintech_core import peers
from tests.fintech_core.peers import Script, answer, drip, listening

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def call(url: str, *, deadline_s: float = 2.0, max_bytes: int = 10_000, method: str = "POST") -> http.Answer:
    """Send one small request."""
    return http.send(
        vendor="tested", method=method, url=url, json={"a": "ü"}, deadline_s=deadline_s, max_bytes=max_bytes
    )


def failure(url: str, **options: float) -> ProviderError:
    """Send a request that must fail, and return how."""
    with pytest.raises(ProviderError) as caught:
        call(url, **options)  # type: ignore[arg-type]
    return caught.value


class TestNotSent:
    """No byte of the request was written: the same reference may be sent again."""

    def test_a_refused_connection(self) -> None:
        found = failure(f"http://127.0.0.1:{peers.closed_port()}/pay")
        assert (found.outcome, found.code) == (Outcome.NOT_SENT, "connect_failed")

    def test_a_name_that_does_not_exist(self) -> None:
        assert failure("http://no-such-host.invalid/pay").outcome is Outcome.NOT_SENT

    def test_tls_that_fails_before_the_request(self) -> None:
        with listening(answer()) as peer:
            found = failure(f"https://127.0.0.1:{peer.port}/pay", deadline_s=1.0)
            assert found.outcome is Outcome.NOT_SENT
            assert peer.requests == []

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "not a url", "http://", "http://[::bad/"])
    def test_an_address_that_is_none_raises_an_alarm(self, url: str) -> None:
        found = failure(url)
        assert (found.outcome, found.code, found.alarm) == (Outcome.NOT_SENT, "invalid_url", True)


class TestUnknown:
    """Something may have been written: only the vendor knows."""

    @pytest.mark.parametrize(
        ("script", "code"),
        [
            (peers.hang, "timeout"),
            (peers.reset, "connection_lost"),
            (peers.close, "connection_lost"),
            (drip(b"SMTP ready\r\n\r\n", b""), "connection_lost"),
            (drip(HEAD + b"Content-Length: 400\r\n\r\n", b"x" * 400), "timeout"),
            (drip(b"HTTP/1.1 200 OK\r\n", b"X-Slow: " + b"x" * 400), "timeout"),
            (answer(b"x" * 10_001), "answer_too_large"),
            (answer(b"\x1f\x8b", headers="Content-Encoding: gzip\r\n"), "encoded_body"),
        ],
        ids=["hang", "reset", "close", "no http", "body drips", "header drips", "too large", "compressed"],
    )
    def test_the_exchange_breaks_after_the_request_was_written(self, script: Script, code: str) -> None:
        with listening(script) as peer:
            started = time.monotonic()
            found = failure(f"{peer.url}/pay", deadline_s=0.6)
            took_s = time.monotonic() - started
            assert (found.outcome, found.code) == (Outcome.UNKNOWN, code)
            assert len(peer.requests) == 1
            assert took_s < 1.2

    def test_a_body_cut_short(self) -> None:
        def script(connection: object, request: bytes) -> None:
            connection.sendall(HEAD + b'Content-Length: 40\r\n\r\n{"status":"delivered"')  # type: ignore[attr-defined]
            connection.close()  # type: ignore[attr-defined]

        with listening(script) as peer:
            assert failure(f"{peer.url}/pay").outcome is Outcome.UNKNOWN

    def test_a_server_error_is_for_the_caller_to_raise(self) -> None:
        with listening(answer(b"oops", "502 Bad Gateway")) as peer:
            found = call(f"{peer.url}/pay")
        assert found.status == 502
        with pytest.raises(ProviderError) as caught:
            found.raise_for_server_error()
        assert (caught.value.outcome, caught.value.code) == (Outcome.UNKNOWN, "server_error")


class TestJson:
    """A vendor's body is read strictly or not at all."""

    def test_numbers_are_exact(self) -> None:
        found = http.Answer(200, {}, b'{"amount": 1500.10, "kobo": 150010, "none": 0.00}').json()
        assert found == {"amount": Decimal("1500.10"), "kobo": 150010, "none": Decimal("0.00")}
        assert isinstance(found["kobo"], int)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>502</html>",
            b"{",
            b'{"amount": NaN}',
            b'{"amount": 1e999999}',
            b'{"amount": 1.%s}' % (b"1" * 60),
            b'{"amount": %s}' % (b"9" * 60),
            b'{"status": "failed", "status": "success"}',
            b"[" * 5000 + b"]" * 5000,
            b'{"name": "\xff"}',
        ],
    )
    def test_anything_else_is_unknown_with_an_alarm(self, body: bytes) -> None:
        with pytest.raises(ProviderError) as caught:
            http.Answer(200, {}, body).json()
        assert (caught.value.outcome, caught.value.code) == (Outcome.UNKNOWN, "broken_body")
        assert caught.value.alarm

    def test_repr_shows_nothing(self) -> None:
        assert repr(http.Answer(200, {"x-secret": "s"}, b"secret")) == "<Answer 200, 6 bytes>"


class TestPromises:
    """What the client never does."""

    @pytest.mark.django_db
    def test_it_refuses_to_call_inside_a_transaction(self) -> None:
        with listening(answer()) as peer:
            with transaction.atomic(), pytest.raises(http.NetworkInTransaction):
                call(peer.url)
            with transaction.atomic(), pytest.raises(http.NetworkInTransaction):
                http.deliver(url=peer.url, headers={}, content=b"", deadline_s=1, allow_private=True)
            assert peer.connections == 0

    def test_it_follows_no_redirect(self) -> None:
        with listening(answer(status="302 Found", headers="Location: /elsewhere\r\n")) as peer:
            assert call(f"{peer.url}/pay").status == 302
            assert len(peer.requests) == 1

    def test_it_keeps_no_cookie(self) -> None:
        with listening(answer(headers="Set-Cookie: session=1; Path=/\r\n")) as peer:
            call(peer.url)
            call(peer.url)
            assert all(b"cookie" not in request.lower() for request in peer.requests)

    def test_it_asks_no_proxy_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{peers.closed_port()}")
        with listening(answer()) as peer:
            assert call(peer.url).status == 200

    def test_it_sends_the_body_as_given(self) -> None:
        with listening(answer()) as peer:
            call(f"{peer.url}/pay?x=1")
            head, _, body = peer.requests[0].partition(b"\r\n\r\n")
        assert body == '{"a":"ü"}'.encode()
        assert head.startswith(b"POST /pay?x=1 HTTP/1.1")
        assert b"accept-encoding: identity" in head.lower()

    def test_it_reuses_connections_and_shares_them_between_threads(self) -> None:
        with listening(answer(b'{"ok": true}')) as peer:
            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(lambda _: call(peer.url).json(), range(40)))
            assert found == [{"ok": True}] * 40
            assert len(peer.requests) == 40
            assert peer.connections <= 8

    def test_a_fork_opens_its_own_connection(self) -> None:
        with listening(answer()) as peer:
            call(peer.url)
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    status = 0 if call(peer.url).status == 200 else 1
                finally:
                    os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert call(peer.url).status == 200
            assert peer.connections == 2

    def test_it_logs_one_line_without_query_reference_or_body(self) -> None:
        with listening(answer(b'{"secret": 1}')) as peer, structlog.testing.capture_logs() as lines:
            call(f"{peer.url}/v3/transaction/verify/FUND-0192837465?email=ada@example.com")
        (line,) = [line for line in lines if line["event"] == "http_call"]
        assert line["path"] == "/v3/transaction/verify/*"
        assert (line["vendor"], line["method"], line["result"]) == ("tested", "POST", 200)
        assert "ada" not in str(line)
        assert "secret" not in str(line)


class TestDeliver:
    """Addresses that customers give."""

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0"])
    def test_private_addresses_are_not_called(self, host: str) -> None:
        with listening(answer()) as peer:
            with pytest.raises(ProviderError) as caught:
                http.deliver(url=f"http://{host}:{peer.port}/", headers={}, content=b"{}", deadline_s=2)
            assert (caught.value.outcome, caught.value.code) == (Outcome.NOT_SENT, "address_refused")
            assert peer.connections == 0

    def test_a_pooled_private_connection_is_not_shared_with_guarded_calls(self) -> None:
        with listening(answer()) as peer:
            found = http.deliver(url=peer.url, headers={}, content=b"{}", deadline_s=2, allow_private=True)
            assert found.status == 200
            with pytest.raises(ProviderError):
                http.deliver(url=peer.url, headers={}, content=b"{}", deadline_s=2)
            assert len(peer.requests) == 1
