-- Number the holds that were made before there were numbers. Only their own number is set, by the owner, with the two
-- triggers off that let nothing else be changed; both are back before anybody else sees the table.
ALTER TABLE transactions_transaction DISABLE TRIGGER ledger_transitions;
ALTER TABLE transactions_transaction DISABLE TRIGGER ledger_resolved_transactions;

UPDATE transactions_transaction t
SET hold_number = placed.hold_number, end_number = placed.end_number
FROM (
    SELECT id, nextval('transactions_two_phase_seq') AS hold_number,
           CASE WHEN status IN ('failed', 'cancelled') THEN nextval('transactions_two_phase_seq') END AS end_number
    FROM (SELECT id, status FROM transactions_transaction WHERE hold_amount IS NOT NULL ORDER BY created_at, id) held
) placed
WHERE placed.id = t.id;

ALTER TABLE transactions_transaction ENABLE ALWAYS TRIGGER ledger_transitions;
ALTER TABLE transactions_transaction ENABLE ALWAYS TRIGGER ledger_resolved_transactions;
