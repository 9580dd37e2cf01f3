"""What the user set: where the ledger is, the fleet, the policy, the node file, the time zone."""
