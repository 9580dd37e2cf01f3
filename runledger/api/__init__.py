"""What a program holds: an open ledger, and everything that can be asked of it."""
