"""What is secret is not in the logs."""

import json
import subprocess
import sys
from typing import Any

import pytest
from django.test import RequestFactory

from fintech_core import logs


class TestRedact:
    @pytest.mark.parametrize(
        "name",
        [
            "pin",
            "new_pin",
            "password",
            "Authorization",
            "refresh_token",
            "x-paystack-signature",
            "api-key",
            "API_KEY",
            "secret_key",
            "document_number",
            "bvn",
            "nin",
            "account_number",
            "otp",
            "code",
            "cookie",
            "Set-Cookie",
            "cvv",
        ],
    )
    def test_names_of_secrets_hide_their_values(self, name: str) -> None:
        assert logs.redact({"outer": [{name: "4821"}]}) == {"outer": [{name: logs.REDACTED}]}

    @pytest.mark.parametrize("name", ["status_code", "error_code", "event", "amount", "beginning"])
    def test_other_names_keep_theirs(self, name: str) -> None:
        assert logs.redact({name: "4821"}) == {name: "4821"}

    def test_bearer_tokens_go_wherever_they_stand(self) -> None:
        found = logs.redact("sent Authorization: Bearer eyJhbGciOi.abc-_~+/=.x to them")
        assert found == f"sent Authorization: Bearer {logs.REDACTED} to them"

    def test_long_digit_runs_keep_four(self) -> None:
        assert logs.redact("card 5060666666666666666 of 22233344455") == "card …6666 of …4455"
        assert logs.redact("amount 150000000") == "amount 150000000"

    def test_ids_stay_whole_whatever_their_digits(self) -> None:
        identifier = "01a1fc56-4042-7cb8-afc8-123456789012"
        assert logs.redact({"wallet": identifier}) == {"wallet": identifier}

    def test_a_code_that_is_a_number_is_a_status(self) -> None:
        assert logs.redact({"code": 404}) == {"code": 404}
        assert logs.redact({"code": "000000"}) == {"code": logs.REDACTED}

    def test_what_is_no_value_stays(self) -> None:
        assert logs.redact({"pin": None, "has_pin": True, "n": 5, "password": ""}) == {
            "pin": None, "has_pin": True, "n": 5, "password": logs.REDACTED,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("request_line", "written"),
        [
            ("GET /api/v1/users/me?access_token=abc", "GET /api/v1/users/me?…"),
            ("GET /api/v1/users/me?to=a@b.c?x=1", "GET /api/v1/users/me?…"),
            ("POST /api/v1/payments/webhooks/vtpass/abc", "POST /api/v1/payments/webhooks/vtpass/[redacted]"),
            ("POST /api/v1/payments/webhooks/paystack", "POST /api/v1/payments/webhooks/paystack"),
        ],
    )
    def test_an_address_is_written_without_what_it_carries(self, request_line: str, written: str) -> None:
        assert logs.redact({"request": request_line}) == {"request": written}

    def test_djangos_request_is_written_without_its_query(self) -> None:
        request = RequestFactory().get("/api/v1/wallet?access_token=abc")
        assert logs.redact({"request": request}) == {"request": "<WSGIRequest: GET '/api/v1/wallet?…"}

    def test_long_texts_are_cut(self) -> None:
        assert len(logs.redact("x" * 100_000)) == logs.MAX_TEXT + 1


PROGRAM = """
import logging, logging.config
import structlog
from fintech_core import logs
logging.config.dictConfig(logs.configuration(level="INFO", as_json=True))
structlog.contextvars.bind_contextvars(request_id="request-0001")
structlog.get_logger("ours").info("transfer_made", amount="1500.00", pin="4821", to="08031234567890")
logging.getLogger("some.library").warning("got Bearer %s", "abc.def.ghi", extra={"token": "t"})
try:
    raise ValueError("Bearer abc.def.ghi")
except ValueError:
    logging.getLogger("some.library").exception("it failed")
logging.getLogger("httpx2").info("chatter")
"""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """What a process of ours writes, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=30
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


class TestLines:
    def test_a_line_is_json_with_its_request(self, lines: list[dict[str, Any]]) -> None:
        line = lines[0]
        assert (line["event"], line["request_id"]) == ("transfer_made", "request-0001")
        assert (line["level"], line["logger"]) == ("info", "ours")
        assert (line["amount"], line["pin"], line["to"]) == ("1500.00", logs.REDACTED, "…7890")
        assert line["timestamp"].endswith("Z")

    def test_lines_of_libraries_are_redacted_too(self, lines: list[dict[str, Any]]) -> None:
        assert (lines[1]["event"], lines[1]["token"]) == (f"got Bearer {logs.REDACTED}", logs.REDACTED)
        assert lines[1]["request_id"] == "request-0001"

    def test_tracebacks_are_redacted_too(self, lines: list[dict[str, Any]]) -> None:
        assert "ValueError" in lines[2]["exception"]
        assert "abc.def" not in json.dumps(lines)

    def test_the_http_library_keeps_quiet(self, lines: list[dict[str, Any]]) -> None:
        assert len(lines) == 3
