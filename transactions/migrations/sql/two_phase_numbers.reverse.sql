DROP TRIGGER ledger_voids_are_numbered ON transactions_transaction;
DROP TRIGGER ledger_holds_are_numbered ON transactions_transaction;
DROP FUNCTION ledger_number_end();
DROP FUNCTION ledger_number_hold();
DROP SEQUENCE transactions_two_phase_seq;
