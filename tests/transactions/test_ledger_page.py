"""docs/reference/ledger.md says what the code does: its tables are printed by it, its examples happen here.

``LEDGER_PAGE=write`` writes the examples and tables anew into the page, for whoever changed what is booked.
"""

import os
import re
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.management import call_command
from pytest_django import Settings

from tests.billers.bench import close_circuit
from tests.billers.scripted import scripted
from tests.transactions.journal import SCENES, as_journal, as_trial_balance, opened
from transactions import chart, fees
from transactions.balances import trial_balance
from transactions.management.commands.show_chart import accounts, as_markdown, rules
from transactions.models import LedgerEntry, Transaction
from transactions.verification import verify

PAGE = settings.BASE_DIR / "docs" / "reference" / "ledger.md"
BLOCK = re.compile(r"<!-- journal: (\w+) -->\n(?:```\n(.*?)\n```\n)?", re.DOTALL)


@pytest.fixture
def examples(committed_db: None, settings: Settings) -> Iterator[dict[str, str]]:
    """Every example of the page as it came out now, in one book from the first to the last."""
    fees.forget()
    close_circuit()
    with scripted(settings) as vendor:
        book = opened(vendor)
        told = {name: "\n".join(as_journal(scene(book))) for name, scene in SCENES.items()}
    balance = trial_balance(as_of=None, currency=None)
    told["trial_balance"] = "\n\n".join(
        "\n".join(as_trial_balance(balance, total.currency)) for total in balance.sums if total.debits
    )
    if os.environ.get("LEDGER_PAGE") == "write":
        PAGE.write_text(
            BLOCK.sub(
                lambda found: f"<!-- journal: {found[1]} -->\n```\n{told[found[1]]}\n```\n", PAGE.read_text()
            )
        )
    yield told
    fees.forget()


def test_every_example_is_what_the_ledger_books(examples: dict[str, str]) -> None:
    assert dict(BLOCK.findall(PAGE.read_text())) == examples
    assert verify().findings == ()
    shown = set(Transaction.objects.values_list("type", flat=True))
    assert shown == {kind for kind, rule in chart.RULES.items() if not rule.reserved}
    written = set(LedgerEntry.objects.values_list("account__code", flat=True))
    assert written.isdisjoint(account.code for account in chart.ACCOUNTS if account.reserved)


def test_the_tables_are_those_of_the_chart() -> None:
    page = PAGE.read_text()
    assert as_markdown(accounts()) in page, "put the output of manage.py show_chart --markdown there"
    assert as_markdown(rules()) in page, "put the output of manage.py show_chart --markdown there"


def test_the_chart_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("show_chart")
    lines = capsys.readouterr().out.splitlines()
    assert any(re.fullmatch(r"suspense +Received.*liability +credit", line) for line in lines)
    assert any(
        re.fullmatch(r"transfer +customer_wallets +customer_wallets, fees:transfer", line) for line in lines
    )
    call_command("show_chart", "--markdown")
    assert as_markdown(rules()) in capsys.readouterr().out
