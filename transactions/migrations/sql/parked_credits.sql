-- A credit that was parked goes forward only: from parked to released, from either to reversed, which is final. It is
-- reversed when the movement that parked it has its mirror, and so has its release, where there was one.

CREATE FUNCTION ledger_check_parked_credit() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    IF OLD.status = 'reversed' OR NEW.status = 'parked' OR (OLD.status = 'released' AND NEW.status <> 'reversed')
       OR (NEW.status = 'reversed' AND NEW.released_by_id IS DISTINCT FROM OLD.released_by_id) THEN
        PERFORM ledger_refuse('parked_credit_goes_forward', 'parked credit ' || OLD.id);
    END IF;
    IF NEW.status = 'reversed'
       AND (NOT EXISTS (SELECT 1 FROM transactions_transaction m
                        WHERE m.id = NEW.reversed_by_id AND m.reverses_id = NEW.parked_by_id)
            OR NEW.released_by_id IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM transactions_transaction m WHERE m.reverses_id = NEW.released_by_id)) THEN
        PERFORM ledger_refuse('parked_credit_is_reversed_whole', 'parked credit ' || OLD.id);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER ledger_parked_credit BEFORE UPDATE ON transactions_parkedcredit
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status
                       OR OLD.released_by_id IS DISTINCT FROM NEW.released_by_id
                       OR OLD.reversed_by_id IS DISTINCT FROM NEW.reversed_by_id)
    EXECUTE FUNCTION ledger_check_parked_credit();
ALTER TABLE transactions_parkedcredit ENABLE ALWAYS TRIGGER ledger_parked_credit;

-- The other way round, when the transaction commits: a mirror of what parked a credit, or released it, whose row does
-- not say so would let the money be released again. A posting that reverses nothing does not come here.
CREATE FUNCTION ledger_check_reversed_credit() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM transactions_parkedcredit p
               WHERE p.parked_by_id = NEW.reverses_id AND p.reversed_by_id IS DISTINCT FROM NEW.id)
       OR EXISTS (SELECT 1 FROM transactions_parkedcredit p
                  WHERE p.released_by_id = NEW.reverses_id AND p.reversed_by_id IS NULL) THEN
        PERFORM ledger_refuse('parked_credit_says_it_is_reversed', 'transaction ' || NEW.id);
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER ledger_reversed_credit AFTER INSERT ON transactions_transaction
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.reverses_id IS NOT NULL)
    EXECUTE FUNCTION ledger_check_reversed_credit();
ALTER TABLE transactions_transaction ENABLE ALWAYS TRIGGER ledger_reversed_credit;
