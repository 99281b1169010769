-- Refused, and nothing is changed, once two senders have used one reference: it can be taken from neither.
ALTER TABLE transactions_transaction ADD CONSTRAINT transactions_transaction_reference_key UNIQUE (reference);
ALTER TABLE transactions_transaction DROP CONSTRAINT transaction_reference_once_per_sender;
CREATE INDEX transactions_transaction_reference_65ce6e73_like
    ON transactions_transaction (reference varchar_pattern_ops);
