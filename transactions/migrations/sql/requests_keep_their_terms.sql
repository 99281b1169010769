-- The terms of a correction, a reversal or a refund that was asked for stay as they are, and so does their row.
CREATE TRIGGER ledger_corrections_keep_their_terms
    BEFORE UPDATE OR DELETE OR TRUNCATE ON transactions_adjustment
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('requests_keep_their_terms');
ALTER TABLE transactions_adjustment ENABLE ALWAYS TRIGGER ledger_corrections_keep_their_terms;

CREATE TRIGGER ledger_undoings_keep_their_terms
    BEFORE UPDATE OR DELETE OR TRUNCATE ON transactions_undoing
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('requests_keep_their_terms');
ALTER TABLE transactions_undoing ENABLE ALWAYS TRIGGER ledger_undoings_keep_their_terms;
