import django.db.models.deletion
from django.db import migrations, models

from fintech_core.sqlfiles import sql_file

STATUSES = [("parked", "Parked"), ("released", "Released")]


class Migration(migrations.Migration):
    """Let a credit that was parked be reversed, and hold it to what it names.

    The program of before may run beside it: it parks and releases as the new rule allows, and refuses to reverse. The
    way back is refused once one was reversed, since the old table cannot say so.
    """

    dependencies = [("transactions", "0021_undoing_by_two")]

    operations = [
        migrations.AddField(
            model_name="parkedcredit",
            name="reversed_by",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="transactions.transaction",
            ),
        ),
        migrations.AddField(
            model_name="parkedcredit", name="reversed_at", field=models.DateTimeField(null=True)
        ),
        migrations.AlterField(
            model_name="parkedcredit",
            name="status",
            field=models.CharField(
                choices=[*STATUSES, ("reversed", "Reversed")], default="parked", max_length=10
            ),
        ),
        migrations.RemoveConstraint(model_name="parkedcredit", name="parked_until_released"),
        migrations.AddConstraint(
            model_name="parkedcredit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("released_by__isnull", True), ("reversed_by__isnull", True), ("status", "parked")
                )
                | models.Q(
                    ("released_by__isnull", False), ("reversed_by__isnull", True), ("status", "released")
                )
                | models.Q(("reversed_by__isnull", False), ("status", "reversed")),
                name="parked_until_released_or_reversed",
            ),
        ),
        sql_file(__file__, "parked_credits"),
    ]
