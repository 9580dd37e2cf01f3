"""Text, each idea once: which characters may pass, which words are secret, how people read numbers.

It lies in the lowest layer, since the ledger, the rules, the collectors and the
commands all need parts of it. It knows none of them: no event, no database, no
clock, no terminal.
"""
