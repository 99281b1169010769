"""How the demonstration is told: nothing secret, nothing longer than the line, colours for people alone."""

from io import StringIO
from pathlib import Path

import pytest
from pytest_django import Settings

from backoffice.demo.screen import Screen, in_fours, naira
from backoffice.management.commands.demo import running_address

WIDTH = 80


def told(*, colours: bool = False) -> tuple[Screen, StringIO]:
    out = StringIO()
    return Screen(out, colours=colours, width=WIDTH), out


class TestExchange:
    def test_secrets_are_masked_at_every_depth(self) -> None:
        screen, out = told()
        screen.request("POST", "/x", {"pin": "5083", "list": [{"password": "hunter2"}], "amount": "1.00"}, [])
        screen.answer(200, {"access": "eyJhbGci", "nested": {"refresh": "r3fr3sh"}}, [])
        shown = out.getvalue()
        assert not [secret for secret in ("5083", "hunter2", "eyJhbGci", "r3fr3sh") if secret in shown]
        assert '"amount": "1.00"' in shown

    def test_a_long_body_is_cut_and_the_note_behind_it_kept(self) -> None:
        screen, out = told()
        screen.request(
            "POST", "/transactions/transfer", {"description": "x" * 500}, ["Idempotency-Key 12345678…"]
        )
        line = out.getvalue().rstrip("\n")
        assert len(line) == WIDTH
        assert line.endswith("…  Idempotency-Key 12345678…")

    def test_an_answer_without_a_body_is_its_status(self) -> None:
        screen, out = told()
        screen.answer(204, None, ["0.01 s"])
        assert out.getvalue() == "    ← 204  0.01 s\n"


class TestColours:
    def test_they_are_for_terminals(self) -> None:
        plain, coloured = told(), told(colours=True)
        for screen, _ in (plain, coloured):
            screen.title("Story", "http://127.0.0.1")
            screen.step(1, "Ada registers")
            screen.kept("wallet NGN 0.00")
            screen.broken("it is not")
            screen.end("done")
        assert "\033" not in plain[1].getvalue()
        assert "\033[32m✓\033[0m" in coloured[1].getvalue()


class TestFigures:
    @pytest.mark.parametrize(
        ("amount", "shown"), [("0.00", "0.00"), ("45000.00", "45,000.00"), ("1234567", "1,234,567")]
    )
    def test_amounts_have_separators(self, amount: str, shown: str) -> None:
        assert naira(amount) == shown

    @pytest.mark.parametrize(
        ("token", "shown"),
        [("37371234567890121234", "3737-1234-5678-9012-1234"), ("12345", "1234-5"), ("", "")],
    )
    def test_tokens_stand_in_fours(self, token: str, shown: str) -> None:
        assert in_fours(token) == shown


class TestAddress:
    def test_it_is_that_of_the_running_system(self, settings: Settings, tmp_path: Path) -> None:
        settings.LOCAL_DIR = tmp_path
        (tmp_path / "run.json").write_text('{"web": "http://127.0.0.1:8017", "pid": 1}')
        assert running_address() == "http://127.0.0.1:8017"

    def test_without_one_it_is_the_default(
        self, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.LOCAL_DIR = tmp_path
        monkeypatch.delenv("PORT", raising=False)
        assert running_address() == "http://127.0.0.1:8000"
        monkeypatch.setenv("PORT", "9001")
        assert running_address() == "http://127.0.0.1:9001"
