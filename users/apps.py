"""App configuration."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """People: who they are, how they prove it, and how far they are known."""

    name = "users"
    verbose_name = "People"

    def ready(self) -> None:
        """Register metrics."""
        from users import metrics

        metrics.register()
