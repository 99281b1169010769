"""``migrate``, as the owner of the tables: the application role owns nothing."""

from django.core.management.base import CommandParser
from django.core.management.commands.migrate import Command as DjangoMigrate


class Command(DjangoMigrate):
    """Migrate on the ``owner`` connection unless another one is named."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take Django's arguments with another default connection."""
        super().add_arguments(parser)
        parser.set_defaults(database="owner")
