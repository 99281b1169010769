"""docs/how-to/move-money-from-python.md: its examples run, one after another in one shell."""

import re
from typing import Any

import pytest
from django.conf import settings

from tests.factories import UserFactory
from tests.transactions.money import fund
from transactions.enums import TransactionStatus
from transactions.models import Transaction
from transactions.verification import verify

PAGE = settings.BASE_DIR / "docs" / "how-to" / "move-money-from-python.md"
EXAMPLES = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.django_db
def test_every_example_runs() -> None:
    for name in ("ada", "bola"):
        fund(UserFactory(email=f"{name}@example.com", kyc_tier=2), "20000.00")
    examples = EXAMPLES.findall(PAGE.read_text())
    assert len(examples) > 5
    shell: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), shell)  # noqa: S102 -- the page is ours
    assert verify().findings == ()
    assert Transaction.objects.filter(status=TransactionStatus.COMPLETED).count() == 7
