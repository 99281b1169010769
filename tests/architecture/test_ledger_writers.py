"""Only ``transactions`` writes the ledger and what a wallet carries; ``wallet`` opens wallets and sets their status."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.sources import APPS, Source, parse, sources

LEDGER = {"Transaction", "LedgerEntry", "LedgerAccount", "BalanceSnapshot", "LedgerSeal"}
CARRIED = {"balance", "held", "version", "last_entry_at", "spent_today", "spent_this_month", "spent_on"}
WRITES = {
    "create", "acreate", "bulk_create", "update", "bulk_update", "get_or_create", "update_or_create", "delete",
    "save", "raw",
}  # fmt: skip
WRITING_SQL = re.compile(
    r"(insert\s+into|update|delete\s+from|truncate|copy|merge\s+into)\s+(only\s+)?[\"']?"
    r"(transactions_|wallet_wallet)",
    re.IGNORECASE,
)


def violations(source: Source) -> Iterator[str]:
    """Name each place of a file outside ``transactions`` that writes what only ``transactions`` may write."""
    for node in ast.walk(source.tree):
        for reason in _reasons(node, source.folder):
            yield f"{source.path}:{getattr(node, 'lineno', 0)} {reason}"


def _reasons(node: ast.AST, folder: str) -> Iterator[str]:
    if isinstance(node, ast.Call):
        yield from _call(node, folder)
    elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Attribute) and _is_wallet(target.value) and target.attr in CARRIED:
                yield f"assigns a wallet's {target.attr}"
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and WRITING_SQL.search(node.value):
        yield "writes ledger tables in SQL"


def _call(node: ast.Call, folder: str) -> Iterator[str]:
    names = [part for part in ast.unparse(node.func).replace("(", ".").replace(")", ".").split(".") if part]
    method = names[-1]
    keywords = {keyword.arg for keyword in node.keywords}
    if names[0] in LEDGER and (len(names) == 1 or method in WRITES):
        yield f"writes {names[0]}"
    if "Wallet" in names or _is_wallet_name(names[0]):
        if method in WRITES | {"Wallet"} and keywords & CARRIED:
            yield f"writes a wallet's {sorted(keywords & CARRIED)}"
        if method in WRITES and folder != "wallet":
            yield f"writes wallets by {method}"


def _is_wallet(node: ast.expr) -> bool:
    return _is_wallet_name(ast.unparse(node).rpartition(".")[2])


def _is_wallet_name(name: str) -> bool:
    return name == "wallet" or name.endswith("_wallet")


def test_nobody_else_writes_the_ledger() -> None:
    others = sources(*(app for app in APPS if app != "transactions"))
    assert [line for source in others for line in violations(source)] == []


@pytest.mark.parametrize(
    "line",
    [
        "LedgerEntry.objects.create(amount=1)",
        "Transaction.objects.filter(pk=1).update(status='completed')",
        "Transaction(reference='x').save()",
        "LedgerEntry.objects.all().delete()",
        "Wallet.objects.filter(pk=1).update(balance=0)",
        "Wallet.objects.create(owner=user, balance=5)",
        "Wallet(owner=user, held=5)",
        "wallet.balance -= 5",
        "payment.wallet.held = 5",
        "wallet.save(update_fields=['status'])",
        "cursor.execute('UPDATE wallet_wallet SET balance = 0')",
        "cursor.execute('INSERT INTO transactions_ledgerentry VALUES (1)')",
    ],
)
def test_the_rule_sees_a_write(line: str) -> None:
    assert list(violations(parse("billers/x.py", line)))


@pytest.mark.parametrize(
    "line",
    [
        "Transaction.objects.filter(pk=1).first()",
        "TransactionService.post(draft)",
        "balance = wallet.balance",
        "payment.balance = wallet.balance",
        "cursor.execute('SELECT balance FROM wallet_wallet')",
    ],
)
def test_the_rule_lets_a_read_pass(line: str) -> None:
    assert not list(violations(parse("billers/x.py", line)))


def test_the_wallet_app_may_set_a_status() -> None:
    assert not list(violations(parse("wallet/x.py", "Wallet.objects.filter(pk=1).update(status='frozen')")))
    assert list(violations(parse("wallet/x.py", "Wallet.objects.filter(pk=1).update(balance=1)")))
