"""A copy of the journal is proven alone: without a database, and whatever was done to it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError

from tests.architecture.sources import ROOT
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, happened, transfer_draft
from tests.transactions.test_verify_onwards import run
from transactions.drafts import Authorize, Post, Void
from transactions.models import LedgerEntry
from transactions.sealing import chain
from transactions.verification.copies import verify_copy


@pytest.fixture
def copied(committed_db: None, tmp_path: Path) -> Path:
    """A copy with two seals and some entries after them."""
    ada, chidi = UserFactory(), UserFactory()
    fund(ada, "500.00")
    fund(chidi, "500.00")
    chain.seal()
    two = main_wallet(ada), main_wallet(chidi)
    happened(Post(transfer_draft(*two, "100.00", "3.00")))
    held = happened(Authorize(bill_draft(two[0], "10.00")))
    happened(Void(held.pk, "declined"))
    chain.seal()
    happened(Post(transfer_draft(*two, "1.00")))
    file = tmp_path / "copy.ndjson"
    assert run("export_ledger", str(file))[0] == 0
    return file


def lines_of(file: Path) -> list[bytes]:
    """Return the lines of a copy."""
    return file.read_bytes().splitlines(keepends=True)


def drop(kind: str) -> Callable[[list[bytes]], list[bytes]]:
    """Leave the last line of a kind out."""

    def change(lines: list[bytes]) -> list[bytes]:
        last = max(number for number, line in enumerate(lines) if f'"fact":"{kind}"'.encode() in line)
        return [*lines[:last], *lines[last + 1 :]]

    return change


def swap(old: bytes, new: bytes) -> Callable[[list[bytes]], list[bytes]]:
    """Replace something in the first line that has it."""

    def change(lines: list[bytes]) -> list[bytes]:
        first = next(number for number, line in enumerate(lines) if old in line)
        return [*lines[:first], lines[first].replace(old, new), *lines[first + 1 :]]

    return change


class TestCopies:
    def test_a_copy_is_proven_without_a_database(self, copied: Path) -> None:
        told = subprocess.run(
            [sys.executable, "manage.py", "verify_ledger", "--file", str(copied), "--json"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/none",
                "REDIS_URL": "redis://127.0.0.1:1/0",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert told.returncode == 0, told.stderr
        report = json.loads(told.stdout)
        assert (report["balanced"], report["totals"]["entries"], report["totals"]["wallets"]) == (True, 9, 2)
        assert report["notes"] == ["2 seals; 2 entries after the last one are not sealed yet."]

    def test_it_is_one_json_object_a_line(self, copied: Path) -> None:
        facts = [json.loads(line)["fact"] for line in lines_of(copied)]
        assert (facts[0], facts[-1], facts.count("seal")) == ("header", "footer", 2)
        assert facts.count("entry") == LedgerEntry.objects.count()

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (swap(b'"amount":"500"', b'"amount":"501"'), "sealed_rows_are_unchanged"),
            (swap(b'"debit","amount":"1"', b'"debit","amount":"2"'), "entries_sum_to_zero"),
            (swap(b'"wallet_balance_after":"500"', b'"wallet_balance_after":"501"'), "entry_follows_the_one_before"),
            (swap(b'"account":"fees:transfer"', b'"account":"suspense"'), "entry_is_allowed_by_the_chart"),
            (swap(b'"description":""', b'"description":"x"'), "sealed_rows_are_unchanged"),
            (swap(b'"fact":"seal","number":2', b'"fact":"seal","number":3'), "seal_chain_is_whole"),
            (swap(b'"mac":"', b'"mac":"0'), "seal_is_ours"),
            (swap(b'{"fact":"entry"', b'["fact":"entry"'), "copy_is_readable"),
            (swap(b'"fact":"hold","id"', b'"fact":"hold","x":1,"id"'), "copy_is_readable"),
            (drop("entry"), "entries_sum_to_zero"),
            (drop("hold"), "sealed_rows_are_unchanged"),
            (drop("wallet"), "sealed_rows_are_unchanged"),
            (drop("footer"), "copy_is_whole"),
            (lambda lines: lines[:10], "copy_is_whole"),
            (lambda lines: [*lines, lines[1]], "copy_is_whole"),
        ],
    )  # fmt: skip
    def test_a_change_of_it_is_found(
        self, copied: Path, change: Callable[[list[bytes]], list[bytes]], code: str
    ) -> None:
        changed = change(lines_of(copied))
        assert changed != lines_of(copied)
        copied.write_bytes(b"".join(changed))
        assert code in verify_copy(copied).broken
        assert run("verify_ledger", "--file", str(copied))[0] == 3

    def test_a_copy_cut_off_with_a_footer_of_its_own_is_found_by_the_published_head(
        self, copied: Path, tmp_path: Path
    ) -> None:
        heads = tmp_path / "heads.ndjson"
        run("seal_ledger", "--publish", str(heads))
        code, printed, _ = run("verify_ledger", "--file", str(copied), "--published", str(heads))
        assert code == 3
        assert "published_seal_is_there" in printed

    def test_nothing_is_overwritten(self, copied: Path) -> None:
        before = copied.read_bytes()
        with pytest.raises(CommandError, match="is there already"):
            run("export_ledger", str(copied))
        assert copied.read_bytes() == before

    def test_a_file_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="could not be read"):
            run("verify_ledger", "--file", str(tmp_path / "none"))
