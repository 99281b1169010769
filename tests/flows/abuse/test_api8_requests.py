"""API8, security misconfiguration, second part: encodings, headers, paths, and what every answer carries."""

import json
from uuid import uuid4

import pytest

from tests.flows.abuse.cast import CANARY_PIN, Cast
from tests.flows.abuse.conftest import Refusals
from tests.flows.abuse.fingerprint import Fingerprint
from tests.flows.abuse.tables import MONEY
from tests.flows.abuse.wire import Wire, check_manners, check_problem
from tests.stack import Stack

TRANSFER = "/transactions/transfer"
JSON = "application/json"


def good_bytes(cast: Cast) -> bytes:
    """Return a transfer that would be good."""
    return json.dumps(cast.fill(MONEY[TRANSFER])).encode()


class TestEncodings:
    @pytest.mark.parametrize(
        "media_type",
        [f"{JSON}; charset=utf-7", f"{JSON}; charset=bogus", f"{JSON}; charset=utf-16", f"{JSON}; charset=latin-1",
         f"{JSON}; charset=utf-8; charset=utf-7", f'{JSON}; charset="utf-16"', "text/plain", "text/json", "json",
         "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", "/",
         "application/*", "*/*", f"{JSON}, text/plain", "application/json+x", ";", "application/"],
    )  # fmt: skip
    def test_8_13_only_json_in_utf_8(self, refused: Refusals, cast: Cast, media_type: str) -> None:
        headers = {"Content-Type": media_type}
        refused(
            "ada",
            "POST",
            TRANSFER,
            raw=good_bytes(cast),
            headers=headers,
            status=415,
            code="unsupported_media_type",
        )

    @pytest.mark.parametrize(
        "codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037"]
    )
    def test_8_13_no_other_encoding_is_guessed(self, refused: Refusals, cast: Cast, codec: str) -> None:
        text = good_bytes(cast).decode().replace("1.00", "1.00\u20a6" if codec == "utf-7" else "1.00")
        raw = text.encode(codec, errors="replace")
        code = "validation_error" if codec == "utf-7" else "malformed_json"  # ASCII, with an odd amount
        refused("ada", "POST", TRANSFER, raw=raw, status=400, code=code)

    @pytest.mark.parametrize(
        "raw",
        [b"\xff", b'{"a":"\xff"}', b'{"a":"\xc3\x28"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xf4\x90\x80\x80"}',
         b"\xc0\x80",
         rb'{"a":"\ud800"}', rb'{"a":"\udfff\ud800"}', rb'{"\ud800":1}', b"{\x00}", b"\x00", b'{"a":"\x00"}', b"{}\x00",
         b"{}//", b"{}{}", b'{"a":1,}', b"{'a':1}", b"{a:1}", b'{"a":01}', b'{"a":+1}', b'{"a":.5}', b'{"a":NaN}',
         b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":0x10}', b'{"a":"\t"}', b'{"a":"\n"}',
         b'{"a":"\\x"}',
         b"null", b"true", b"5", b'"x"', b"[]", b"[{}]", b" ", b"\n", b"{", b"}", b'{"a"', b"<x/>", b"a=1", b"/* */{}"],
    )  # fmt: skip
    @pytest.mark.parametrize("path", [TRANSFER, "/users/me/kyc", "/bills/pay"])
    def test_8_15_what_is_no_json_object(self, refused: Refusals, path: str, raw: bytes) -> None:
        refused("ada", "POST", path, raw=raw, status=400, code="malformed_json")

    def test_8_15_no_body_is_an_empty_one(self, refused: Refusals) -> None:
        headers = {"Content-Type": JSON, "Content-Length": "0"}
        refused("ada", "POST", TRANSFER, headers=headers, status=400, code="validation_error")


class TestHeaders:
    @pytest.mark.parametrize(
        "raw",
        [
            b"X-Odd: a\x00b",
            b"X-Odd: a\x0bb",
            b"X-Odd : a",
            b" X-Odd: a",
            b"X Odd: a",
            b"X-Odd",
            b": a",
            b"X-\xff: a",
        ],
    )
    def test_8_15_a_header_that_is_none_is_not_read(self, wire: Wire, watch: Fingerprint, raw: bytes) -> None:
        with watch.unchanged():
            head = b"GET /api/v1/wallet HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" % wire.host.encode()
            answer = wire.exchange(head + raw + b"\r\n\r\n")
        check_manners(answer)
        assert answer.status in {400, 401}, answer

    @pytest.mark.parametrize(
        "name",
        ["X-Request-ID", "User-Agent", "Prefer", "If-None-Match", "X-Device-Id", "Accept-Language", "Origin", "Range",
         "Expect", "Upgrade", "TE", "Cookie", "Referer", "If-Modified-Since", "X-Forwarded-Proto", "X-Original-URL",
         "X-Rewrite-URL", "X-Forwarded-Prefix", "Proxy", "Forwarded"],
    )  # fmt: skip
    @pytest.mark.parametrize("value", [b"\xff\xfe", b"'\"<>", b"a" * 3_000, b"wait=999999999999", b"/admin/"])
    def test_8_15_odd_headers_change_nothing(
        self, wire: Wire, cast: Cast, watch: Fingerprint, name: str, value: bytes
    ) -> None:
        head = f"GET /api/v1/wallet HTTP/1.1\r\nHost: {wire.host}\r\nConnection: close\r\n"
        head += f"Authorization: Bearer {cast.ada.access}\r\n{name}: "
        with watch.unchanged():
            answer = wire.exchange(head.encode() + value + b"\r\n\r\n")
        check_manners(answer)
        assert answer.status == 200, answer
        assert value not in str(answer.headers).encode("latin-1", "replace")

    @pytest.mark.parametrize("device", ["5", "x" * 300, "{%s}", "urn:uuid:%s", "%s ", "', '"])
    def test_8_15_a_device_is_a_uuid(self, refused: Refusals, device: str) -> None:
        headers = {"X-Device-Id": device.replace("%s", str(uuid4()))}
        body = {"email": "nobody@example.com", "password": "x"}
        if device != "%s ":  # a space at the end of a header is no part of it
            refused(
                "nobody", "POST", "/auth/login", body, headers=headers, status=400, code="validation_error"
            )

    @pytest.mark.parametrize(
        "accept", ["application/xml", "text/csv", "image/png", "x", "application/json;q=x;", "\xff"]
    )
    def test_8_25_an_answer_is_json_or_nothing(self, wire: Wire, cast: Cast, accept: str) -> None:
        raw = f"GET /api/v1/wallet HTTP/1.1\r\nHost: {wire.host}\r\nConnection: close\r\nAccept: {accept}\r\n"
        raw += f"Authorization: Bearer {cast.ada.access}\r\n\r\n"
        answer = wire.exchange(raw.encode("latin-1"))
        check_manners(answer)
        assert answer.status in {200, 406}, answer
        assert answer.headers.get_content_type() in {"application/json", "application/problem+json"}

    def test_8_19_a_line_in_a_value_is_no_line_in_the_log(self, wire: Wire, cast: Cast, stack: Stack) -> None:
        planted = "2026-01-01T00:00:00Z INFO paid by nobody"
        mark = uuid4().hex
        headers = {
            "User-Agent": f"{mark} {planted}",
            "X-Request-ID": f"{mark}\t{planted}",
            "Idempotency-Key": mark,
        }
        body = {
            **MONEY[TRANSFER],
            "pin": CANARY_PIN,
            "to": f"{mark}@example.com",
            "description": f"x\n{planted}\r\n{planted}",
        }
        wire.send("POST", f"/api/v1{TRANSFER}", body, token=cast.ada.access, headers=headers)
        wire.send("GET", f"/api/v1/{mark}%0a{planted.replace(' ', '%20')}%0d%0a{planted.replace(' ', '%20')}")
        lines = [line for line in stack.web.log().splitlines() if mark in line or planted in line]
        assert lines
        assert all(isinstance(json.loads(line), dict) for line in lines)


class TestEveryAnswer:
    @pytest.mark.parametrize(
        ("path", "status"),
        [("/api/v1/wallet", 200), ("/api/v1/transactions", 200), ("/api/v1/nowhere", 404), ("/health", 200),
         ("/api/v1/limits", 200), ("/api/schema", 200), ("/nowhere", 404)],
    )  # fmt: skip
    def test_8_21_carries_the_headers_that_keep_browsers_honest(
        self, wire: Wire, cast: Cast, path: str, status: int
    ) -> None:
        answer = wire.send("GET", path, token=cast.ada.access)
        check_manners(answer)
        assert answer.status == status
        expected = (
            "application/problem+json"
            if status >= 400
            else ("application/json", "application/vnd.oai.openapi+json")
        )
        assert answer.headers.get_content_type() in expected
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "X-Powered-By" not in answer.headers

    def test_8_21_no_origin_is_let_in(self, wire: Wire, cast: Cast) -> None:
        for origin in ("https://evil.example", "null", wire.address, "http://localhost"):
            answer = wire.send("GET", "/api/v1/wallet", token=cast.ada.access, headers={"Origin": origin})
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            preflight = wire.send("OPTIONS", f"/api/v1{TRANSFER}", headers=asked)
            for found in (answer, preflight):
                check_manners(found)
                assert "Access-Control-Allow-Origin" not in found.headers

    @pytest.mark.parametrize("accept", ["application/json", "text/html", "*/*"])
    @pytest.mark.parametrize(
        "path", ["/nowhere", "/errors/nowhere", "/api/v1/nowhere", "/api/nowhere", "/static/nowhere.js"]
    )
    def test_8_25_an_unknown_page_is_told_without_a_map(self, wire: Wire, path: str, accept: str) -> None:
        answer = wire.send("GET", path, headers={"Accept": accept})
        check_manners(answer)
        assert answer.status == 404
        is_page = accept == "text/html" and not path.startswith("/api/")
        assert answer.headers.get_content_type() == ("text/html" if is_page else "application/problem+json")
        assert b"urlconf" not in answer.body.lower()


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        ["//api//v1/wallet", "//api/v1/wallet", "/api//v1/wallet", "/api/v1//wallet", "/api/v1/./wallet",
         "/api/v1/x/../wallet", "/api/%2e%2e/api/v1/wallet", "/api/v1/%2e/wallet", "/api/v1/wallet;jsessionid=1",
         "/api/v1/wallet;", "/api/v1/wallet.", "/api/v1/wallet..", "/api/v1/wallet.json", "/API/v1/wallet",
         "/api/V1/wallet", "/api/v1/Wallet", "/api/v1/WALLET", "/api/v1/wallet//", "/api/v1/wallet%20",
         "/api/v1/%20wallet",
         "/api/v1/wallet%09", "/api/v1/wallet%0a", "/api/v1/w%C3%A0llet", "/api/v1/%77allet%2500", "/api/v1/wallet%ff",
         "/api/v1/wallet/x", "/api/v1/wallet,", "/api/v1/wallet%3f", "/api/v1/wallet%23", "/api%5cv1%5cwallet",
         "/%61pi/v1/wallets/%2e%2e/wallet", "*"],
    )  # fmt: skip
    def test_8_27_a_path_is_spelled_one_way(self, wire: Wire, cast: Cast, path: str) -> None:
        for token in ("", cast.ada.access):
            check_problem(wire.send("GET", path, token=token), 404, "not_found")

    @pytest.mark.parametrize("path", ["/api/v1/wallet/", "/api/v1/wallet?", "/api/v1/wallet#x", "/api/v1/%77allet",
                                      "http://evil.example/api/v1/wallet", "/api/v1/wallet/?currency=NGN"])  # fmt: skip
    def test_8_27_another_spelling_of_a_path_opens_nothing(self, wire: Wire, path: str) -> None:
        check_problem(wire.send("GET", path), 401, "not_authenticated")

    @pytest.mark.parametrize(
        "path", ["/api/v1/wallet%00", "/api/v1/%00", "/%00", "/api/v1/wallets/%00/", "/admin/%00"]
    )
    def test_8_15_a_path_has_no_nul(self, wire: Wire, path: str) -> None:
        check_problem(wire.send("GET", path), 400, "malformed_request")

    @pytest.mark.parametrize(
        "line",
        [b"GET /api/v1/wallet", b"GET  /api/v1/wallet HTTP/1.1", b"GET /api/v1/wallet HTTP/9.9", b"GET /\x00 HTTP/1.1",
         b"GET \\api HTTP/1.1", b"GET /api v1 HTTP/1.1", b"\x16\x03\x01", b"GET /a\xff HTTP/1.1", b"/ GET HTTP/1.1"],
    )  # fmt: skip
    def test_8_27_what_is_no_request_is_refused(self, wire: Wire, watch: Fingerprint, line: bytes) -> None:
        with watch.unchanged():
            answer = wire.exchange(line + b"\r\nHost: %s\r\nConnection: close\r\n\r\n" % wire.host.encode())
        check_manners(answer)
        assert answer.status in {400, 404, 405}, answer

    @pytest.mark.parametrize(
        "headers",
        [b"Content-Length: 2\r\nContent-Length: 3", b"Content-Length: -1", b"Content-Length: +2",
         b"Content-Length: 0x2", b"Content-Length: 2, 3", b"Content-Length: two", b"Transfer-Encoding: identity",
         b"Transfer-Encoding: bogus", b"Content-Length: 99999999999999999999999"],
    )  # fmt: skip
    def test_8_27_a_body_has_one_length(self, wire: Wire, watch: Fingerprint, headers: bytes) -> None:
        head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" % wire.host.encode()
        with watch.unchanged():
            answer = wire.exchange(head + b"Content-Type: application/json\r\n" + headers + b"\r\n\r\n{}")
        check_manners(answer)
        assert answer.status in {400, 413}, answer
