"""API7, server side request forgery: the one address that a client may name is never asked by us, and is a web page."""

from typing import Any

import pytest

from tests.flows.abuse.conftest import Refusals


@pytest.mark.parametrize("path", ["/wallet/fund", "/payments/intents"])
@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "ftp://example.com/", "javascript:alert(1)",
     "data:text/html,x", "//evil.example", "example.com", "http://", "https:///x", "http://exa mple.com",
     "http://example.com\r\nX: y", "http://example.com/\u0000", "dict://127.0.0.1:11211/", "ldap://127.0.0.1/",
     "http:example.com", "https://example.com/" + "a" * 500, 5, ["https://example.com"], {"url": "https://x.com"},
     True],
)  # fmt: skip
def test_7_08_a_callback_is_an_absolute_web_address(refused: Refusals, path: str, address: Any) -> None:
    body = {"amount": "100.00", "callback_url": address}
    answer = refused("ada", "POST", path, body, status=400, code="validation_error")
    assert "callback_url" in answer.fields
