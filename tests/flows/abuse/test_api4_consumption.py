"""API4, unrestricted resource consumption: bodies, numbers and forms beyond what anybody needs."""

import io
import socket
import time
import zlib
from contextlib import suppress
from http.client import HTTPResponse

import pytest

from tests.flows.abuse.cast import Cast
from tests.flows.abuse.conftest import Refusals
from tests.flows.abuse.fingerprint import Fingerprint
from tests.flows.abuse.wire import ANSWER_LIMIT_S, Wire, check_manners, check_problem

TRANSFER = "/transactions/transfer"
KB = 1024
# A route that anybody may call, one that takes money, one that takes no body.
PATHS = ["/auth/login", TRANSFER, "/wallets", "/users/me/kyc", "/notifications/read-all", "/bills/pay"]


def chunked(body: bytes, size: int = 8_192) -> bytes:
    """Write a body in chunks (RFC 9112, 7.1)."""
    out = io.BytesIO()
    for start in range(0, len(body), size):
        chunk = body[start : start + size]
        out.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    return out.getvalue() + b"0\r\n\r\n"


def padded(size: int) -> bytes:
    """Return a JSON object of so many bytes."""
    return b'{"a":"%s"}' % (b"x" * (size - 8))


class TestBodies:
    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("size", [64 * KB + 1, 100 * KB, 300 * KB])
    def test_4_01_a_body_over_64_kb_is_not_read(self, refused: Refusals, path: str, size: int) -> None:
        refused("ada", "POST", path, raw=padded(size), status=413, code="payload_too_large")

    @pytest.mark.parametrize("path", PATHS)
    def test_4_01_nor_is_one_without_a_length(self, refused: Refusals, path: str) -> None:
        headers = {"Transfer-Encoding": "chunked", "Content-Length": ""}
        body = chunked(padded(100 * KB))
        refused("ada", "POST", path, raw=body, headers=headers, status=413, code="payload_too_large")

    def test_4_01_a_small_one_without_a_length_is_read(self, wire: Wire) -> None:
        headers = {"Transfer-Encoding": "chunked", "Content-Length": ""}
        body = chunked(b'{"email":"nobody@example.com","password":"x"}', size=7)
        answer = wire.send("POST", "/api/v1/auth/login", raw=body, headers=headers)
        check_problem(answer, 401, "invalid_credentials")

    @pytest.mark.parametrize("length", [2 * KB * KB, 10 * KB * KB, 10**12, 10**30])
    def test_4_01_what_announces_megabytes_is_refused_unread(
        self, wire: Wire, cast: Cast, length: int
    ) -> None:
        answer = wire.send(
            "POST",
            f"/api/v1{TRANSFER}",
            raw=b"{",
            token=cast.ada.access,
            headers={"Content-Length": str(length)},
        )
        check_manners(answer)
        assert answer.status in {400, 413}, answer

    @pytest.mark.parametrize("path", ["/api/v1/wallets", "/api/v1/nowhere", "/health", "/api/v1/auth/login"])
    def test_4_01_who_is_refused_before_the_body_came_is_told_that_the_connection_ends(
        self, wire: Wire, path: str
    ) -> None:
        """It was closed without a word, and the next request of a pool of connections failed on it."""
        body = b'{"email":"nobody@example.com","password":"x"}'
        head = f"POST {path} HTTP/1.1\r\nHost: {wire.host}\r\nContent-Type: application/json\r\n"
        with socket.create_connection(wire.host.split(":"), ANSWER_LIMIT_S) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
            time.sleep(0.1)
            with suppress(ConnectionError):
                connection.sendall(body)
            first = HTTPResponse(connection)
            first.begin()
            assert first.status in {401, 404, 405}
            assert b'"code"' in first.read()
            if first.headers["Connection"] == "close":
                assert path != "/api/v1/auth/login"
                return
            connection.sendall(f"GET /health HTTP/1.1\r\nHost: {wire.host}\r\n\r\n".encode())
            second = HTTPResponse(connection)
            second.begin()
            assert (second.status, path) == (200, "/api/v1/auth/login")

    def test_4_01_a_body_of_64_kb_is_read(self, refused: Refusals) -> None:
        refused("ada", "POST", "/wallets", raw=padded(64 * KB), status=400, code="validation_error")

    def test_4_01_a_packed_body_is_not_unpacked(self, refused: Refusals) -> None:
        packed = zlib.compress(padded(10 * KB * KB))
        for encoding in ("deflate", "gzip", "br"):
            headers = {"Content-Encoding": encoding}
            refused("ada", "POST", "/wallets", raw=packed, headers=headers, status=400, code="malformed_json")

    @pytest.mark.parametrize("digits", [41, 900, 5_000, 60_000])
    @pytest.mark.parametrize("sign", ["", "-", "0."])
    @pytest.mark.parametrize("path", [TRANSFER, "/users/me/kyc", "/auth/login", "/bills/validate"])
    def test_4_03_a_number_of_many_digits(self, refused: Refusals, path: str, digits: int, sign: str) -> None:
        raw = b'{"amount":%s%s}' % (sign.encode(), b"9" * digits)
        answer = refused("ada", "POST", path, raw=raw, status=400, code="validation_error")
        known = path in {TRANSFER, "/bills/validate"}
        assert answer.fields["amount"] == ("invalid_amount" if known else "unknown_field")
        assert len(answer.body) < 2 * KB

    @pytest.mark.parametrize(
        ("path", "name"),
        [(TRANSFER, "to"), (TRANSFER, "metadata"), (TRANSFER, "pin"), ("/bills/pay", "allow_duplicate"),
         ("/bills/pay", "subscription"), ("/users/me/kyc", "tier"), ("/users/me/kyc", "date_of_birth"),
         ("/wallet/fund", "gateway"), ("/auth/login", "email")],
    )  # fmt: skip
    @pytest.mark.parametrize("number", ["9" * 900, "-1e999"], ids=len)
    def test_4_03_nor_is_it_anything_else(self, refused: Refusals, path: str, name: str, number: str) -> None:
        answer = refused(
            "ada", "POST", path, raw=f'{{"{name}":{number}}}'.encode(), status=400, code="validation_error"
        )
        assert name in answer.fields
        assert len(answer.body) < 2 * KB

    @pytest.mark.parametrize(
        ("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'{"a":[', b"]}"), (b'[{"":', b"}]")]
    )
    @pytest.mark.parametrize("depth", [21, 500, 5_000])
    def test_4_01_a_deep_body(self, refused: Refusals, opening: bytes, closing: bytes, depth: int) -> None:
        raw = opening * depth + b"1" + closing * depth
        refused("nobody", "POST", "/auth/login", raw=raw, status=400, code="malformed_json")

    def test_4_01_an_unclosed_deep_body(self, refused: Refusals) -> None:
        for raw in (b"[" * 60_000, b'{"a":' * 13_000, b'"' + b'\\"' * 30_000, b'{"a":"' + b"[" * 60_000):
            refused("nobody", "POST", "/auth/login", raw=raw, status=400, code="malformed_json")

    def test_4_01_many_keys(self, refused: Refusals) -> None:
        raw = b"{%s}" % b",".join(b'"k%d":1' % index for index in range(6_000))
        answer = refused("nobody", "POST", "/auth/login", raw=raw, status=400, code="validation_error")
        assert answer.fields["k5999"] == "unknown_field"

    def test_4_01_metadata_has_a_measure(self, refused: Refusals) -> None:
        body = {"to": "{bola_email}", "amount": "1.00", "pin": "{pin}"}
        for metadata in (
            {f"k{index}": "x" for index in range(21)},
            {"k": "x" * 501},
            {"k" * 41: "x"},
            {"": "x"},
            {"a b": "x"},
            {"k": {"k": "x"}},
            {"k": ["x"]},
            {"k": 1},
            {"k": "\u0000"},
            ["k"],
            "k",
        ):
            sent = {**body, "metadata": metadata}
            refused("ada", "POST", TRANSFER, sent, status=400, code="validation_error")


class TestForms:
    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("parts", [1, 10_000])
    def test_4_15_a_form_is_no_json(self, refused: Refusals, path: str, parts: int) -> None:
        part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        raw = part * min(parts, 1_100) + b"--x--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        refused("ada", "POST", path, raw=raw, headers=headers, status=415, code="unsupported_media_type")

    def test_4_15_nor_are_ten_thousand_fields(self, refused: Refusals) -> None:
        raw = b"&".join(b"k%d=1" % index for index in range(10_000))[: 60 * KB]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        refused("ada", "POST", TRANSFER, raw=raw, headers=headers, status=415, code="unsupported_media_type")

    @pytest.mark.parametrize(
        "media_type", ["image/png", "image/svg+xml", "application/pdf", "application/zip"]
    )
    def test_4_11_no_document_is_taken_yet(self, refused: Refusals, media_type: str) -> None:
        raw = b"\x89PNG\r\n\x1a\n" + b"\x00" * KB
        headers = {"Content-Type": media_type}
        refused(
            "ada",
            "POST",
            "/users/me/kyc",
            raw=raw,
            headers=headers,
            status=415,
            code="unsupported_media_type",
        )

    @pytest.mark.parametrize(
        "size", ["0", "-1", "101", "1000000000", "1e2", "٥", "5.0", "", "NaN", "0x10", " 5"]
    )
    @pytest.mark.parametrize(
        "path",
        ["/transactions", "/wallets", "/notifications", "/payments/intents", "/auth/sessions", "/bills/payments",
         "/billers", "/billers/categories", "/billers/status", "/events/types", "/cashback/history"],
    )  # fmt: skip
    def test_4_05_a_page_has_at_most_a_hundred_rows(self, refused: Refusals, path: str, size: str) -> None:
        text = size.replace(" ", "%20").replace("٥", "%D9%A5")
        refused(
            "ada", "GET", f"{path}?page_size={text}",
            status=400, code="validation_error", fields={"page_size": "invalid"},
        )  # fmt: skip


class TestHeaders:
    def test_4_01_endless_headers_are_refused(self, wire: Wire, watch: Fingerprint) -> None:
        many = {f"X-{index}": "a" for index in range(2_000)}
        for headers in (many, {"X-Long": "a" * 500_000}, {"Cookie": "a=1; " * 100_000}):
            with watch.unchanged():
                answer = wire.send("GET", "/api/v1/wallet", headers=headers)
            check_manners(answer)
            assert answer.status in {400, 401, 431}, answer

    @pytest.mark.parametrize("length", [1_100, 5_000, 60_000])
    def test_4_01_endless_addresses_are_refused(self, wire: Wire, length: int) -> None:
        for address in (f"/api/v1/{'a' * length}", f"/api/v1/transactions?search={'a' * max(length, 4_097)}"):
            answer = wire.send("GET", address)
            check_manners(answer)
            assert answer.status in {400, 414}, answer
