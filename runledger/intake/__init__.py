"""How what happened gets into a ledger: imports, guarded commands, a spool while it is away."""
