"""App configuration."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """People: who they are, how they prove it, and how far they are known."""

    name = "users"
    verbose_name = "People"

    def ready(self) -> None:
        """Refuse to start with a broken key ring; register metrics."""
        from users import key_rings, metrics

        key_rings.check()
        metrics.register()
