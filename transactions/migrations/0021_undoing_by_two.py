import django.db.models.deletion
from django.db import migrations, models

from fintech_core.sqlfiles import sql_file


def _request(related_name: str) -> models.OneToOneField:
    return models.OneToOneField(
        on_delete=django.db.models.deletion.CASCADE,
        parent_link=True,
        primary_key=True,
        related_name=related_name,
        serialize=False,
        to="fintech_core.approvalrequest",
    )


class Migration(migrations.Migration):
    """Let two people decide large reversals and refunds; corrections become requests of the same kind.

    In SQL, since a model cannot be given another base, and so that corrections keep their ids, which their movements
    name as their source. Nobody asks for a correction or decides one while it runs: the program of before does not know
    the new tables. The way back forgets requests of reversals and refunds, and is refused once one was approved.
    """

    dependencies = [
        ("fintech_core", "0004_approval_requests"),
        ("transactions", "0020_rules_are_append_only"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[sql_file(__file__, "corrections_are_requests")],
            state_operations=[
                migrations.DeleteModel("Adjustment"),
                migrations.CreateModel(
                    name="Adjustment",
                    fields=[
                        ("request", _request("adjustment")),
                        (
                            "direction",
                            models.CharField(
                                choices=[("debit", "Debit"), ("credit", "Credit")], max_length=6
                            ),
                        ),
                        (
                            "effective_at",
                            models.DateTimeField(
                                help_text="Only when it counts from an earlier time", null=True
                            ),
                        ),
                        (
                            "wallet",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="adjustments",
                                to="wallet.wallet",
                            ),
                        ),
                    ],
                    options={
                        "permissions": [
                            ("decide_adjustment", "Can book or reject a correction of somebody else")
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("direction__in", ["debit", "credit"])),
                                name="adjustment_direction_is_known",
                            ),
                        ],
                    },
                    bases=("fintech_core.approvalrequest",),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Undoing",
            fields=[
                ("request", _request("undoing")),
                (
                    "book_shortfall",
                    models.BooleanField(help_text="What is spent meanwhile is booked to receivables"),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="undoings",
                        to="transactions.transaction",
                    ),
                ),
            ],
            options={
                "verbose_name": "requested reversal",
                "default_permissions": ("view",),
                "permissions": [
                    ("decide_undoing", "Can book or reject a reversal or refund that somebody else asked for")
                ],
            },
            bases=("fintech_core.approvalrequest",),
        ),
        sql_file(__file__, "requests_keep_their_terms"),
    ]
