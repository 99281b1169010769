from django.db import migrations

from fintech_core.sqlfiles import sql_file


class Migration(migrations.Migration):
    """Have the database keep the rows of parked credits, and what they say of whose money waits and how much.

    The program of before may run beside it: it neither deletes one nor changes this.
    """

    dependencies = [("transactions", "0022_reversed_parked_credits")]

    operations = [sql_file(__file__, "parked_credits_stay")]
