"""App configuration."""

from django.apps import AppConfig


class WalletConfig(AppConfig):
    """Whose money, in which currency, how much, and how much of it is held."""

    name = "wallet"
    verbose_name = "Wallets"

    def ready(self) -> None:
        """Connect the one signal of the project: a new user gets a wallet. Tell balances at the end of a dry run."""
        from fintech_core import dry_run
        from wallet import selectors, signals

        signals.connect()
        dry_run.register_fact("balances_after", selectors.balances_of)
