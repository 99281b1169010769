DROP TRIGGER ledger_undoing ON transactions_transaction;
DROP FUNCTION ledger_check_undoing();
