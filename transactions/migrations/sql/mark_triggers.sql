-- How far the books were proven is said once; the next one who proves says it anew.
CREATE TRIGGER ledger_marks_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON transactions_verificationmark
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('marks_are_append_only');
ALTER TABLE transactions_verificationmark ENABLE ALWAYS TRIGGER ledger_marks_are_append_only;
