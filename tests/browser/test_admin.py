"""What staff do in the admin, click by click."""

from datetime import date

import pytest

from tests.browser.window import Window
from tests.clients import Person, eventually
from tests.flows.abuse.cast import Staff
from tests.stack import Stack

STAFF = ("staff@example.com", "demo-Staff-1")
REASON = "Called on the phone"


@pytest.fixture
def desk(stack: Stack, window: Window) -> Window:
    """A window in which staff have signed in."""
    page = window.open(f"{stack.address}/admin/")
    window.picture("admin-login")
    page.get_by_label("Email").fill(STAFF[0])
    page.get_by_label("Password").fill(STAFF[1])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{stack.address}/admin/")
    return window


def follow(desk: Window, section: str, title: str) -> None:
    """Open a section of the sidebar, and one of its lists."""
    sidebar = desk.page.locator("#nav-sidebar-apps")
    link = sidebar.get_by_role("link", name=title, exact=False).first
    if not link.is_visible():
        sidebar.get_by_role("heading", name=section).click()
    link.click()
    desk.page.wait_for_load_state("networkidle")


def answer_dialog(desk: Window, button: str, reason: str) -> None:
    """Fill in the reason of the open dialog and send it."""
    dialog = desk.page.locator("#modal-content")
    dialog.locator("textarea").fill(reason)
    dialog.get_by_role("button", name=button).click()
    dialog.wait_for(state="hidden")
    desk.page.wait_for_load_state("networkidle")


def waiting_case(stack: Stack) -> Person:
    """Somebody who has asked for tier 2 and waits for a person."""
    person = stack.person("Ngozi")
    body = {
        "tier": 2,
        "document_type": "passport",
        "document_number": f"B{person.id[-8:].upper()}",
        "date_of_birth": date(1992, 3, 4).isoformat(),
        "address": "12 Marina, Lagos",
    }
    answer = person.post("/users/me/kyc", body)
    assert (answer.status_code, answer.json()["status"]) == (201, "in_review"), answer.text
    return person


class TestLooking:
    def test_the_dashboard_tells_how_things_stand(self, stack: Stack, desk: Window) -> None:
        stack.person("Tunde")
        [row] = stack.sql("SELECT sum(balance) AS total FROM wallet_wallet WHERE currency = 'NGN'")
        total = f"NGN {row['total']:,.2f}"
        # The figures are kept for a while; whoever was here before may have seen others.
        eventually(
            lambda: total in desk.open(f"{stack.address}/admin/").inner_text("body"), f"{total} is shown", 90
        )
        cards = desk.page.locator(".bo-cards > a")
        assert cards.count() == 6
        text = desk.text()
        told = ("Customers", "in wallets", total, "transactions today", "SANDBOX")
        for word in told:
            assert word.lower() in text.lower(), word
        columns = cards.evaluate_all("cards => new Set(cards.map(card => card.offsetLeft)).size")
        assert columns > 1, "the cards stand below each other: the stylesheet is missing"
        desk.picture("admin-dashboard")

    def test_wallets_are_listed_and_found(self, stack: Stack, desk: Window) -> None:
        follow(desk, "Customers", "Wallets")
        assert "NGN 50,000.00" in desk.text()
        desk.picture("admin-wallets")
        desk.page.locator("#searchbar").fill("ada@example.com")
        desk.page.locator("#searchbar").press("Enter")
        desk.page.wait_for_url("**q=ada**")
        rows = desk.page.locator("#result_list tbody tr")
        assert rows.count() == 1
        desk.picture("admin-wallets-found")

    def test_a_transaction_shows_its_entries(self, stack: Stack, desk: Window) -> None:
        follow(desk, "Money", "Transactions")
        desk.picture("admin-transactions")
        seeded = desk.page.locator("#result_list tbody tr", has_text="NGN 50,000.00")
        seeded.first.locator("a").first.click()
        desk.page.wait_for_load_state("networkidle")
        text = desk.text()
        for word in (
            "gateway_clearing:paystack NGN",
            "customer_wallets NGN",
            "Debit",
            "Credit",
            "NGN 50,000.00",
        ):
            assert word.lower() in text.lower(), word
        assert desk.page.get_by_role("button", name="Save").count() == 0
        desk.picture("admin-transaction")
        desk.page.get_by_text("Balance after").last.scroll_into_view_if_needed()
        desk.page.mouse.wheel(0, 2_000)
        desk.picture("admin-transaction-entries")

    def test_it_can_be_read_in_the_dark_and_on_a_phone(self, stack: Stack, desk: Window) -> None:
        desk.page.evaluate("document.documentElement.classList.add('dark')")
        desk.picture("admin-dashboard-dark")
        desk.page.set_viewport_size({"width": 390, "height": 844})
        desk.open(f"{stack.address}/admin/wallet/wallet/")
        wide = desk.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, f"the list is {wide} pixels wide on a phone"
        desk.picture("admin-wallets-phone")


class TestDeciding:
    def test_a_case_is_approved_in_a_dialog(self, stack: Stack, desk: Window) -> None:
        ngozi = waiting_case(stack)
        desk.open(f"{stack.address}/admin/")
        follow(desk, "Queues", "Identity checks")
        desk.picture("admin-kyc-queue")
        desk.page.locator("#searchbar").fill(ngozi.email)
        desk.page.locator("#searchbar").press("Enter")
        desk.page.wait_for_url("**q=ngozi**")
        desk.page.locator("#result_list tbody tr").first.locator("a").first.click()
        desk.page.get_by_role("link", name="Approve").click()
        desk.page.get_by_text("The customer's tier rises at once.").wait_for()
        desk.picture("admin-kyc-approve")
        assert ngozi.get("/users/me").json()["kyc_tier"] == 1
        answer_dialog(desk, "Approve", REASON)
        assert "The case is approved." in desk.text()
        assert desk.page.get_by_role("link", name="Approve").count() == 0
        desk.picture("admin-kyc-approved")
        assert ngozi.get("/users/me").json()["kyc_tier"] == 2

    def test_a_wallet_is_frozen_and_released(self, stack: Stack, desk: Window) -> None:
        tunde = stack.person("Tunde")
        desk.open(f"{stack.address}/admin/wallet/wallet/{tunde.wallet()['id']}/change/")
        desk.picture("admin-wallet")
        desk.page.get_by_role("link", name="Freeze").click()
        desk.page.get_by_text("Freeze this wallet").wait_for()
        desk.picture("admin-wallet-freeze")
        answer_dialog(desk, "Freeze", REASON)
        assert tunde.wallet()["status"] == "frozen"
        desk.picture("admin-wallet-frozen")
        desk.page.get_by_role("link", name="Unfreeze").click()
        desk.page.get_by_text("Let money move again").wait_for()
        answer_dialog(desk, "Unfreeze", REASON)
        assert tunde.wallet()["status"] == "active"

    def test_a_large_refund_is_asked_for_by_one_and_booked_by_another(
        self, stack: Stack, desk: Window
    ) -> None:
        tunde, bisi, maker = stack.person("Tunde", funds="5000.00"), stack.person("Bisi"), Staff(stack)
        sent = tunde.transfer(bisi, "1500.00").json()
        asked = maker.pay(f"/admin/transactions/{sent['id']}/refund", {"reason": "Came back"})
        assert asked.status_code == 202, asked.text
        follow(desk, "Queues", "Reversals to decide")
        desk.picture("admin-undoing-queue")
        desk.page.locator("#result_list tbody tr", has_text="NGN 1,500.00").locator("a").first.click()
        desk.page.wait_for_load_state("networkidle")
        for word in (tunde.email, bisi.email, "NGN 1,500.00", "Refund", "Came back", "Pending"):
            assert word in desk.text(), word
        desk.picture("admin-undoing")
        desk.page.locator("a[hx-get$='/book/']").click()
        desk.page.get_by_text("The money moves at once").wait_for()
        desk.picture("admin-undoing-book")
        assert tunde.wallet()["balance"] == "3500.00"
        answer_dialog(desk, "Book", REASON)
        assert "It is booked." in desk.text()
        assert desk.page.locator("a[hx-get$='/reject/']").count() == 0
        desk.picture("admin-undoing-booked")
        assert tunde.wallet()["balance"] == "5000.00"
        result = maker.get("/admin/approvals", status="approved").json()["results"][0]["transaction_id"]
        desk.page.get_by_role("link", name=result).click()
        desk.page.wait_for_load_state("networkidle")
        assert "Refund of" in desk.text()

    def test_a_dialog_without_a_reason_stays_open(self, stack: Stack, desk: Window) -> None:
        tunde = stack.person("Tunde")
        desk.open(f"{stack.address}/admin/wallet/wallet/{tunde.wallet()['id']}/change/")
        desk.page.get_by_role("link", name="Freeze").click()
        dialog = desk.page.locator("#modal-content")
        dialog.get_by_role("button", name="Freeze").click()
        dialog.get_by_text("This field is required").wait_for()
        desk.picture("admin-dialog-refused")
        assert tunde.wallet()["status"] == "active"
