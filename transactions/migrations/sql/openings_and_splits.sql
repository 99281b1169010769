-- What a seal could not see: a wallet before its first entry, and how a hold's sum is split while it is pending.
--
-- A wallet gets a number when it is opened, from the sequence of holds, and is sealed in that order. Nothing is locked
-- then, so the writer asks for its transaction id before a number is drawn: no seal passes by one that commits late.
CREATE FUNCTION ledger_number_opening() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_current_xact_id();
    NEW.opening_number := nextval('transactions_two_phase_seq');
    RETURN NEW;
END
$$;

CREATE TRIGGER ledger_openings_are_numbered BEFORE INSERT ON wallet_wallet
    FOR EACH ROW EXECUTE FUNCTION ledger_number_opening();
ALTER TABLE wallet_wallet ENABLE ALWAYS TRIGGER ledger_openings_are_numbered;

UPDATE wallet_wallet w SET opening_number = placed.number
FROM (SELECT id, nextval('transactions_two_phase_seq') AS number
      FROM (SELECT id FROM wallet_wallet ORDER BY created_at, id) old) placed
WHERE placed.id = w.id;

CREATE TRIGGER ledger_openings_stay BEFORE UPDATE OF opening_number ON wallet_wallet
    FOR EACH ROW WHEN (OLD.opening_number IS DISTINCT FROM NEW.opening_number)
    EXECUTE FUNCTION ledger_refuse_row('wallet_identity_never_changes');
ALTER TABLE wallet_wallet ENABLE ALWAYS TRIGGER ledger_openings_stay;

-- The fee of a hold is kept beside its sum: a capture may lower the one, a shift would leave the other as it is. Older
-- holds have none, and are sealed as they were.
CREATE OR REPLACE FUNCTION ledger_number_hold() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.hold_number := nextval('transactions_two_phase_seq');
    NEW.hold_fee := NEW.fee;
    RETURN NEW;
END
$$;
