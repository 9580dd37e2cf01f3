"""Why a decision is what it is: rules, evidence, near misses, the smallest set of events."""
