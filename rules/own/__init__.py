"""Rules of one's own: what a policy may declare beside its numbers.

``[own]`` names thresholds, ``[[facts]]`` say what to remember of events, and
``[[rules.own]]`` what to say when it goes beyond. `declared` has their shapes,
`checking` finds everything wrong with them when the policy is read, `compiled`
makes rules for `rules.engine` of them. Nothing here folds or judges.
"""
