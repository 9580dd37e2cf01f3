"""From a state to facts: one module a decision.

Here windows, ages and shares are computed at the judging time; rules then only
compare. Pure functions of state, policy, fleet, question and time.
"""
