-- The numbers go with their columns.
SELECT 1;
