"""The chart of accounts: what an accountant reads in one file is what the table and the checks hold."""

import io

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from transactions import chart
from transactions.enums import AccountType, Direction, TransactionType
from transactions.models import LedgerAccount
from wallet.enums import WalletKind

CODES = [account.code for account in chart.ACCOUNTS]


class TestRules:
    def test_every_type_of_transaction_has_a_rule(self) -> None:
        assert set(chart.RULES) == set(TransactionType)

    @pytest.mark.parametrize("kind", chart.RULES)
    def test_every_pattern_of_a_rule_names_an_account(self, kind: str) -> None:
        rule = chart.RULES[kind]
        for pattern in (*rule.debit, *rule.credit):
            begins = pattern.removesuffix("*")
            assert any(code == pattern or (pattern != begins and code.startswith(begins)) for code in CODES)

    def test_every_account_can_be_reached_by_some_type(self) -> None:
        """Costs of gateways have no type yet; every other account, reserved or not, has a way in or out."""
        ways = [
            (kind, side) for kind in chart.RULES if kind != TransactionType.REVERSAL for side in Direction
        ]
        unreached = {code for code in CODES if not any(chart.allows(kind, code, side) for kind, side in ways)}
        assert unreached == {"gateway_costs"}

    @pytest.mark.parametrize(
        ("kind", "code", "side", "allowed"),
        [
            ("transfer", "customer_wallets", "debit", True),
            ("transfer", "fees:transfer", "credit", True),
            ("transfer", "fees:bill_payment", "credit", False),
            ("transfer", "cashback_wallets", "debit", False),
            ("funding", "gateway_clearing:paystack", "debit", True),
            ("funding", "gateway_clearing:paystack", "credit", False),
            ("funding", "gateway_clearing:tomorrow", "debit", True),
            ("bill_payment", "biller_float:vtpass", "credit", True),
            ("cashback", "cashback_expense", "debit", True),
            ("cashback", "cashback_wallets", "debit", False),
            ("reversal", "suspense", "debit", True),
            ("nothing", "customer_wallets", "debit", False),
            ("fee", "fees", "credit", False),
        ],
    )
    def test_allows_only_what_it_lists(self, kind: str, code: str, side: str, *, allowed: bool) -> None:
        assert chart.allows(kind, code, side) is allowed


class TestAccounts:
    def test_codes_are_unique(self) -> None:
        assert len(set(CODES)) == len(CODES)

    def test_each_kind_of_wallet_has_one_control_account_which_is_a_liability(self) -> None:
        control = {account.wallet_kind: account for account in chart.ACCOUNTS if account.wallet_kind}
        assert {kind: account.code for kind, account in control.items()} == chart.CONTROL_ACCOUNTS
        assert set(control) == set(WalletKind)
        assert {account.type for account in control.values()} == {AccountType.LIABILITY}


@pytest.mark.django_db
class TestTable:
    def test_holds_the_chart_in_every_enabled_currency(self) -> None:
        wanted = {(account.code, currency) for account, currency in chart.rows(tuple(settings.CURRENCIES))}
        assert set(LedgerAccount.objects.values_list("code", "currency")) == wanted

    def test_sync_chart_opens_a_new_currency_once(self) -> None:
        with override_settings(CURRENCIES=[*settings.CURRENCIES, "GBP"]):
            assert f"{len(CODES)} accounts opened" in self.sync()
            assert LedgerAccount.objects.filter(currency="GBP").count() == len(CODES)
            assert "0 accounts opened" in self.sync()

    def test_sync_chart_refuses_an_account_that_differs(self) -> None:
        LedgerAccount.objects.create(code="suspense", name="x", type="asset", currency="EUR")
        with override_settings(CURRENCIES=["EUR"]), pytest.raises(CommandError, match="suspense EUR"):
            self.sync()

    @staticmethod
    def sync() -> str:
        """Run the command and return what it printed."""
        out = io.StringIO()
        call_command("sync_chart", stdout=out)
        return out.getvalue()
