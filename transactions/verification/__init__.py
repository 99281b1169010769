"""Re-proving the ledger: every rule that the database and the services hold, asked again of the stored rows.

Each check is one set-based query (``entries``, ``movements``, ``undoing``, ``documents``, ``wallets``, ``parked``,
``bulk``, ``chart_rules``, ``structure``); apps above the ledger register theirs (``extensions``). Those that read the
whole ledger are first asked together (``combined_passes``), and by themselves only where something may be broken. What
no single query says is proven by code (``definitions``, ``proven``, ``seals``). What only a seal could show is named in
``tests/transactions/test_verify_ledger.py``: a change of a fact that no other row repeats, such as a description.
"""

from transactions.verification.report import CurrencyTotals, Finding, Report, Totals
from transactions.verification.runner import RULES, every_check, verify

__all__ = ["RULES", "CurrencyTotals", "Finding", "Report", "Totals", "every_check", "verify"]
