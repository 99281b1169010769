"""The documentation of the API: whole, offline, and with a body behind every operation."""

import httpx2

from tests.browser.window import Window
from tests.stack import Stack


def operations(stack: Stack) -> int:
    """Return how many operations the schema describes."""
    schema = httpx2.get(
        f"{stack.address}/api/schema", headers={"Accept": "application/json"}, timeout=30
    ).json()
    methods = {"get", "post", "put", "patch", "delete"}
    return sum(len(methods & set(item)) for item in schema["paths"].values())


class TestSwagger:
    def test_every_operation_is_there(self, stack: Stack, window: Window) -> None:
        page = window.open(f"{stack.address}/docs")
        page.locator(".opblock").first.wait_for()
        assert page.locator(".opblock").count() == operations(stack) > 40
        assert "Fintech Core API" in window.text()
        window.picture("docs")

    def test_an_operation_opens_and_can_be_tried(self, stack: Stack, window: Window) -> None:
        page = window.open(f"{stack.address}/docs")
        block = page.locator(
            ".opblock", has=page.locator('[data-path="/health"], [data-path="/api/v1/auth/login"]')
        )
        block.first.locator(".opblock-summary").click()
        page.get_by_role("button", name="Try it out").click()
        body = '{"email": "ada@example.com", "password": "demo-Password-1"}'
        page.locator(".opblock.is-open textarea").first.fill(body)
        page.get_by_role("button", name="Execute").click()
        answer = page.locator(".opblock.is-open .live-responses-table .response-col_status").last
        answer.wait_for()
        assert answer.inner_text().startswith("200")
        window.picture("docs-login")


class TestRedoc:
    def test_it_renders_offline(self, stack: Stack, window: Window) -> None:
        page = window.open(f"{stack.address}/redoc")
        page.locator("[data-section-id]").first.wait_for()
        assert page.locator('[data-section-id^="tag/"]').count() > 5
        assert "Fintech Core API" in window.text()
        window.picture("redoc")
        # Its makers' logo is the one thing that it asks the world for, and the policy does not let that out.
        asked = [fault for fault in window.faults if "cdn.redoc.ly" in fault]
        assert any("violates the following Content Security Policy" in fault for fault in asked)
        window.faults[:] = [fault for fault in window.faults if fault not in asked]


class TestErrors:
    def test_every_code_has_its_page(self, stack: Stack, window: Window) -> None:
        window.open(f"{stack.address}/errors")
        assert "insufficient_funds" in window.text()
        window.open(f"{stack.address}/errors/insufficient_funds")
        assert "422" in window.text()
        assert "There is not enough money" in window.text()
        window.picture("error-page")
