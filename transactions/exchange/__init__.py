"""What a currency is worth in another one: where rates come from, and what a customer gets at one."""
