"""A copy of the journal is proven alone: without a database, without the keys too, and whatever was done to it."""

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from pytest_django import Settings

from fintech_core import development
from tests.architecture.sources import ROOT
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, happened, transfer_draft
from tests.transactions.test_verify_incrementally import run
from transactions.drafts import Authorize, Post, Void
from transactions.models import LedgerEntry
from transactions.sealing import canonical, chain
from transactions.verification import copied_seals
from transactions.verification.copies import verify_copy

OURS = "k1:the-secret-of-the-house-of-at-least-32-bytes"
LATER = "k2:the-later-secret-of-the-house-of-32-bytes"
WRONG = "k1:the-wrong-secret-of-at-least-32-bytes-xx"
# What a checkout has where nobody has set a key, and a ring of somebody else's.
NO_KEYS = [f"k1:{development.secret('SEAL_SECRET')}"]
OTHER_KEYS = ["z9:the-secret-of-another-house-of-32-bytes"]


COUNTED = "2 seals; 2 entries after the last one are not sealed yet."
UNCHECKED = (
    "The macs of {} were not checked, since SEAL_KEYS has no key {};"
    " their hashes were, against the published heads."
)
UNPROVEN = "{} are not proven here: only their macs could, or a head that is published later."


@pytest.fixture(autouse=True)
def house(settings: Settings) -> None:
    """The key that everything is sealed with."""
    settings.SEAL_KEYS = [OURS]


@pytest.fixture
def copied(committed_db: None, tmp_path: Path) -> Path:
    """A copy with two seals, the heads of both published beside it, and some entries after them."""
    heads = f"--publish={tmp_path / 'heads.ndjson'}"
    ada, chidi = UserFactory(), UserFactory()
    fund(ada, "500.00")
    fund(chidi, "500.00")
    assert run("seal_ledger", heads)[0] == 0
    two = main_wallet(ada), main_wallet(chidi)
    happened(Post(transfer_draft(*two, "100.00", "3.00")))
    held = happened(Authorize(bill_draft(two[0], "10.00")))
    happened(Void(held.pk, "declined"))
    assert run("seal_ledger", heads)[0] == 0
    happened(Post(transfer_draft(*two, "1.00")))
    file = tmp_path / "a copy.ndjson"
    assert run("export_ledger", str(file))[0] == 0
    return file


def lines_of(file: Path) -> list[bytes]:
    """Return the lines of a copy."""
    return file.read_bytes().splitlines(keepends=True)


def entry(**facts: Any) -> bytes:
    """Return the line of an entry with these facts, a plain debit otherwise."""
    plain = {"direction": "debit", "amount": "1.0000", "currency": "NGN", "account": "suspense"}
    bare = {"fact": "entry"} | dict.fromkeys(canonical.COLUMNS["entry"])
    return json.dumps(bare | plain | facts).encode()


NO_LINES = {
    "brackets without end": b'{"fact":' + b"[" * 200_000,
    "more than any number": entry(amount="9e999999"),
    "less than any coin": entry(amount="1e-999999"),
    "an infinite amount": entry(amount="Infinity"),
    "no amount": entry(amount="NaN"),
    "a balance below any number": entry(wallet_id="w", wallet_version=1, wallet_balance_after="-9e999999"),
    "a currency that is no text": entry(currency=566),
}


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


def alone(copied: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Verify a copy in a process that reaches no server and has the keys of its environment alone."""
    return subprocess.run(
        [sys.executable, "manage.py", "verify_ledger", "--file", str(copied), "--json", *arguments],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/none",
            "REDIS_URL": "redis://127.0.0.1:1/0",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestCopies:
    def test_a_copy_is_proven_without_a_database(self, copied: Path) -> None:
        told = alone(copied, SEAL_KEYS=OURS)
        assert told.returncode == 0, told.stderr
        report = json.loads(told.stdout)
        assert (report["balanced"], report["totals"]["entries"], report["totals"]["wallets"]) == (True, 9, 2)
        assert report["notes"] == [COUNTED]

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
        run("seal_ledger", "--publish", str(tmp_path / "heads.ndjson"))
        assert proven(copied) == (3, {"published_seal_is_there": 1}, [COUNTED])

    @pytest.mark.parametrize("what", NO_LINES)
    def test_a_line_that_no_books_have_is_a_finding(self, tmp_path: Path, what: str) -> None:
        file = tmp_path / "made up.ndjson"
        file.write_bytes((NO_LINES[what] + b"\n") * 3)
        assert verify_copy(file).broken["copy_is_readable"] == 3

    def test_nothing_is_overwritten(self, copied: Path) -> None:
        before = copied.read_bytes()
        with pytest.raises(CommandError, match="is there already"):
            run("export_ledger", str(copied))
        assert copied.read_bytes() == before

    def test_a_file_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="could not be read"):
            run("verify_ledger", "--file", str(tmp_path / "none"))


def proven(copied: Path, *, heads: int | None = None) -> tuple[int, dict[str, int], list[str]]:
    """Verify a copy by the first so many published heads, or all; return exit code, what is broken, and the notes."""
    file = copied.with_name("heads.ndjson")
    some = copied.with_name("some.ndjson")
    some.write_bytes(b"".join(lines_of(file)[:heads]))
    code, printed, _ = run("verify_ledger", "--file", str(copied), "--published", str(some), "--json")
    report = json.loads(printed)
    return code, report["broken"], report["notes"]


def without_a_head(copied: Path) -> tuple[int, dict[str, Any]]:
    """Verify a copy without published heads; return exit code and report."""
    code, printed, _ = run("verify_ledger", "--file", str(copied), "--json")
    return code, json.loads(printed)


def compact(facts: dict[str, Any]) -> bytes:
    """Write a line as the canonical bytes are."""
    return (json.dumps(facts, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def forge(copied: Path, change: Callable[[list[bytes]], list[bytes]], key: str = "k1") -> None:
    """Change a copy and compute all its hashes and counts again; the macs are of whatever key is in ``SEAL_KEYS``."""
    *lines, _ = change(lines_of(copied))
    written: list[bytes] = []
    kinds: list[str] = []
    digest, previous = hashlib.sha256(), chain.FIRST
    for line in lines:
        facts = json.loads(line)
        if facts["fact"] == "seal":
            facts |= {"digest": digest.hexdigest(), "previous": previous, "key_id": key}
            facts |= {"entries": kinds.count("entry"), "holds": kinds.count("hold") + kinds.count("end")}
            previous = chain.chain_of(compact({name: facts[name] for name in ("fact", *canonical.SEAL)}))
            facts |= {"chain": previous, "mac": chain.mac_of(previous, key)}
            digest, kinds = hashlib.sha256(), []
        elif facts["fact"] != "header":
            digest.update(line)
            kinds.append(facts["fact"])
        written.append(compact(facts) if facts["fact"] == "seal" else line)
    footer = {
        "fact": "footer",
        "lines": len(written),
        "digest": hashlib.sha256(b"".join(written)).hexdigest(),
    }
    copied.write_bytes(b"".join([*written, compact(footer)]))


def after_the_first_seal(
    change: Callable[[list[bytes]], list[bytes]],
) -> Callable[[list[bytes]], list[bytes]]:
    """Leave everything through the first seal as it is."""

    def changed(lines: list[bytes]) -> list[bytes]:
        end = next(number for number, line in enumerate(lines) if b'"fact":"seal"' in line) + 1
        return [*lines[:end], *change(lines[end:])]

    return changed


def swap_owners(lines: list[bytes]) -> list[bytes]:
    """Give each of two people the other one's wallet, and with it all that is in it."""
    first, second = {json.loads(line)["owner_id"] for line in lines if b'"fact":"wallet"' in line}
    owners = {first.encode(): second.encode(), second.encode(): first.encode()}
    either = re.compile(b"|".join(owners))
    return [either.sub(lambda found: owners[found[0]], line) for line in lines]


def cut_off(lines: list[bytes]) -> list[bytes]:
    """Leave out what comes after the first seal, but for the footer."""
    end = next(number for number, line in enumerate(lines) if b'"fact":"seal"' in line) + 1
    return [*lines[:end], lines[-1]]


class TestWithoutTheKey:
    @pytest.mark.parametrize("ring", [NO_KEYS, OTHER_KEYS], ids=["no keys", "other keys"])
    def test_a_published_head_proves_it(self, copied: Path, settings: Settings, ring: list[str]) -> None:
        settings.SEAL_KEYS = ring
        unchecked = UNCHECKED.format("2 seals", "k1")
        assert proven(copied) == (0, {}, [COUNTED, unchecked])
        code, printed, _ = run(
            "verify_ledger", f"--file={copied}", f"--published={copied.with_name('heads.ndjson')}"
        )
        assert code == 0
        assert f"note: {unchecked}" in printed.splitlines()
        assert printed.splitlines()[-1] == "balanced, 9 entries, 0 findings"

    @pytest.mark.parametrize("ring", [NO_KEYS, OTHER_KEYS], ids=["no keys", "other keys"])
    def test_without_a_head_one_finding_says_what_is_missing(
        self, copied: Path, settings: Settings, ring: list[str]
    ) -> None:
        settings.SEAL_KEYS = ring
        code, report = without_a_head(copied)
        assert (code, report["broken"]) == (3, {"seals_can_be_proven": 1})
        (finding,) = report["findings"]
        assert finding["detail"] == "2 seals with unchecked macs: SEAL_KEYS has no key k1"
        assert finding["next_step"].startswith(
            f"manage.py verify_ledger --file {shlex.quote(str(copied))} --published HEADS, where HEADS is "
        )
        assert proven(copied, heads=0)[:2] == (3, {"seals_can_be_proven": 1})

    @pytest.mark.parametrize(
        ("change", "heads"),
        [
            (swap(b'"description":""', b'"description":"x"'), 2),
            (swap_owners, 2),
            (after_the_first_seal(swap(b'"description":""', b'"description":"x"')), 1),
            (after_the_first_seal(drop("hold")), 1),
            (drop("seal"), 1),
        ],
        ids=["text", "owners", "later text", "hold", "seal"],
    )
    def test_a_forged_copy_is_found_by_the_head_however_well_it_fits(
        self, copied: Path, settings: Settings, change: Any, heads: int
    ) -> None:
        settings.SEAL_KEYS = [WRONG]
        forge(copied, change)
        settings.SEAL_KEYS = NO_KEYS
        assert without_a_head(copied)[1]["broken"] == {"seals_can_be_proven": 1}
        assert proven(copied)[:2] == (3, {"published_seal_is_there": heads})

    def test_what_was_changed_without_its_hashes_is_found(self, copied: Path, settings: Settings) -> None:
        settings.SEAL_KEYS = NO_KEYS
        original = lines_of(copied)
        for old, new, code in (
            (b'"description":""', b'"description":"x"', "sealed_rows_are_unchanged"),
            (b'"sealed_at":"2', b'"sealed_at":"3', "seal_is_ours"),
            (b'"chain":"', b'"chain":"0', "published_seal_is_there"),
            (b'"previous":"0', b'"previous":"1', "seal_chain_is_whole"),
        ):
            copied.write_bytes(b"".join(swap(old, new)(original)))
            told = proven(copied)
            assert (told[0], told[1].get(code)) == (3, 1), code

    def test_a_copy_cut_off_before_the_head_is_found(self, copied: Path, settings: Settings) -> None:
        forge(copied, cut_off)
        settings.SEAL_KEYS = NO_KEYS
        assert proven(copied)[:2] == (3, {"published_seal_is_there": 1})
        assert proven(copied, heads=1)[:2] == (0, {})

    def test_what_goes_on_beyond_the_head_is_counted(self, copied: Path, settings: Settings) -> None:
        unproven = [
            COUNTED,
            UNCHECKED.format("2 seals", "k1"),
            UNPROVEN.format("3 entries under 1 seal after seal 1"),
        ]
        settings.SEAL_KEYS = NO_KEYS
        assert proven(copied, heads=1) == (0, {}, unproven)
        settings.SEAL_KEYS = [WRONG]
        forge(copied, after_the_first_seal(swap(b'"description":""', b'"description":"x"')))
        settings.SEAL_KEYS = NO_KEYS
        assert proven(copied, heads=1) == (0, {}, unproven)
        assert proven(copied)[0] == 3


@pytest.fixture
def of_two_keys(copied: Path, settings: Settings) -> Path:
    """A copy with a third seal, made with a later key, and its head published, too."""
    settings.SEAL_KEYS = [LATER, OURS]
    fund(UserFactory(), "10.00")
    assert run("seal_ledger", f"--publish={copied.with_name('heads.ndjson')}")[0] == 0
    later = copied.with_name("later.ndjson")
    assert run("export_ledger", str(later))[0] == 0
    return later


class TestKeys:
    def test_nobody_needs_a_key_to_prove_it(self, copied: Path) -> None:
        told = alone(copied, f"--published={copied.with_name('heads.ndjson')}")
        assert told.returncode == 0, told.stderr
        assert json.loads(told.stdout)["notes"] == [COUNTED, UNCHECKED.format("2 seals", "k1")]
        assert alone(copied).returncode == 3

    @pytest.mark.parametrize("heads", [0, 1, 2])
    def test_a_wrong_key_is_a_finding_with_heads_and_without(
        self, copied: Path, settings: Settings, heads: int
    ) -> None:
        settings.SEAL_KEYS = [WRONG]
        assert proven(copied, heads=heads)[:2] == (3, {"seal_is_ours": 2})

    @pytest.mark.parametrize(
        ("ring", "heads", "told"),
        [
            ([LATER], 3, [UNCHECKED.format("2 seals", "k1")]),
            ([LATER], 1, [UNCHECKED.format("2 seals", "k1")]),  # the mac of the third proves the second
            ([OURS], 3, [UNCHECKED.format("1 seal", "k2")]),
            ([OURS], 1, [UNCHECKED.format("1 seal", "k2"), UNPROVEN.format("4 entries under 1 seal after seal 2")]),
            ([OURS, LATER], 1, []),
            (OTHER_KEYS, 3, [UNCHECKED.format("3 seals", "k1, k2")]),
        ],
    )  # fmt: skip
    def test_a_ring_with_some_of_the_keys_checks_their_seals_and_leaves_the_others_to_the_head(
        self, of_two_keys: Path, settings: Settings, ring: list[str], heads: int, told: list[str]
    ) -> None:
        settings.SEAL_KEYS = ring
        sealed = "3 seals; 0 entries after the last one are not sealed yet."
        assert proven(of_two_keys, heads=heads) == (0, {}, [sealed, *told])

    def test_a_wrong_mac_beside_a_missing_key_is_a_finding(
        self, of_two_keys: Path, settings: Settings
    ) -> None:
        settings.SEAL_KEYS = [WRONG.replace("k1", "k2")]
        assert proven(of_two_keys)[:2] == (3, {"seal_is_ours": 1})

    def test_without_a_head_the_missing_keys_alone_are_named(
        self, of_two_keys: Path, settings: Settings
    ) -> None:
        settings.SEAL_KEYS = [LATER]
        code, report = without_a_head(of_two_keys)
        assert (code, report["broken"]) == (3, {"seals_can_be_proven": 1})
        assert report["findings"][0]["detail"] == "2 seals with unchecked macs: SEAL_KEYS has no key k1"

    def test_a_copy_that_names_any_number_of_keys_gets_a_short_answer(
        self, of_two_keys: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(copied_seals, "KEYS_TOLD", 1)
        settings.SEAL_KEYS = OTHER_KEYS
        assert proven(of_two_keys)[2][1] == UNCHECKED.format("3 seals", "k1 and 1 more")

    def test_a_copy_made_with_the_secret_for_development_passes_and_says_that_this_proves_nothing(
        self, copied: Path, settings: Settings
    ) -> None:
        settings.SEAL_KEYS = NO_KEYS
        forge(copied, swap(b'"description":""', b'"description":"x"'))
        code, report = without_a_head(copied)
        assert (code, len(report["notes"])) == (0, 2)
        assert report["notes"][1].endswith(
            "the secret for development, which anybody knows: they prove nothing."
        )
        assert proven(copied)[:2] == (3, {"published_seal_is_there": 2})

    def test_in_the_database_the_keys_are_wanted(self, copied: Path, settings: Settings) -> None:
        settings.SEAL_KEYS = OTHER_KEYS
        heads = copied.with_name("heads.ndjson")
        code, printed, _ = run("verify_ledger", "--seals", f"--published={heads}", "--json")
        assert (code, json.loads(printed)["broken"]) == (3, {"seal_is_ours": 2})

    @pytest.mark.parametrize(
        "change", [{"number": "1"}, {"number": [1]}, {"chain": None}, {"more": 1}], ids=str
    )
    def test_a_head_that_is_none_is_an_error(self, copied: Path, change: dict[str, Any]) -> None:
        heads = copied.with_name("heads.ndjson")
        heads.write_bytes(compact(json.loads(lines_of(heads)[0]) | change))
        with pytest.raises(CommandError, match="could not be read"):
            run("verify_ledger", f"--file={copied}", f"--published={heads}")
