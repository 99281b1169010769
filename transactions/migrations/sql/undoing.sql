-- A movement is reversed as a whole or refunded in parts, and its refunds never give back more than its amount.
--
-- The row of the movement is locked, since two refunds that do not see each other yet would both find room. The ledger
-- holds the locks of the wallets by then, so nobody who waits here is waited for. A posting that undoes nothing does
-- not come here. A refund that was itself reversed gave nothing back.

CREATE FUNCTION ledger_check_undoing() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    undone transactions_transaction%ROWTYPE;
    refunded numeric;
BEGIN
    SELECT * INTO undone FROM transactions_transaction t
    WHERE t.id = coalesce(NEW.refund_of_id, NEW.reverses_id) FOR NO KEY UPDATE;
    IF undone.status IS DISTINCT FROM 'completed' OR undone.currency <> NEW.currency THEN
        PERFORM ledger_refuse('undoes_a_completed_one', 'transaction ' || NEW.id);
    END IF;

    SELECT coalesce(sum(r.amount), 0) INTO refunded
    FROM transactions_transaction r
    WHERE r.refund_of_id = undone.id AND r.status IN ('pending', 'completed')
      AND NOT EXISTS (SELECT 1 FROM transactions_transaction m WHERE m.reverses_id = r.id);
    IF refunded > undone.amount THEN
        PERFORM ledger_refuse('refunds_within_the_amount', 'transaction ' || undone.id);
    END IF;
    IF refunded > 0 AND EXISTS (SELECT 1 FROM transactions_transaction m WHERE m.reverses_id = undone.id) THEN
        PERFORM ledger_refuse('reversed_or_refunded', 'transaction ' || undone.id);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER ledger_undoing AFTER INSERT ON transactions_transaction
    FOR EACH ROW WHEN (NEW.refund_of_id IS NOT NULL OR NEW.reverses_id IS NOT NULL)
    EXECUTE FUNCTION ledger_check_undoing();
ALTER TABLE transactions_transaction ENABLE ALWAYS TRIGGER ledger_undoing;
