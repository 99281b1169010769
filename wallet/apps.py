"""App configuration."""

from django.apps import AppConfig


class WalletConfig(AppConfig):
    """Whose money, in which currency, how much, and how much of it is held."""

    name = "wallet"
    verbose_name = "Wallets"

    def ready(self) -> None:
        """Connect the one signal of the project: a new user gets a wallet."""
        from wallet import signals

        signals.connect()
