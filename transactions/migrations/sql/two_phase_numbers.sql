-- Every hold, and every end of one without entries, gets a number in the order of its making, so that what has no
-- entry can be sealed like what has: by ranges that are complete behind a watermark. Ordinary postings are not touched.
-- The wallet's lock has given the writer its transaction id before a number is drawn.

CREATE SEQUENCE transactions_two_phase_seq AS bigint;

CREATE FUNCTION ledger_number_hold() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.hold_number := nextval('transactions_two_phase_seq');
    RETURN NEW;
END
$$;

CREATE FUNCTION ledger_number_end() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.end_number := nextval('transactions_two_phase_seq');
    RETURN NEW;
END
$$;

CREATE TRIGGER ledger_holds_are_numbered BEFORE INSERT ON transactions_transaction
    FOR EACH ROW WHEN (NEW.status = 'pending') EXECUTE FUNCTION ledger_number_hold();
ALTER TABLE transactions_transaction ENABLE ALWAYS TRIGGER ledger_holds_are_numbered;

-- After ledger_transitions, by its name: what that one refuses gets no number, and it does not see the number.
CREATE TRIGGER ledger_voids_are_numbered BEFORE UPDATE ON transactions_transaction
    FOR EACH ROW WHEN (OLD.status = 'pending' AND NEW.status IN ('failed', 'cancelled'))
    EXECUTE FUNCTION ledger_number_end();
ALTER TABLE transactions_transaction ENABLE ALWAYS TRIGGER ledger_voids_are_numbered;
