"""Fuzzing: everything that reads what people and programs give, fed with what it was not made for.

``make fuzz`` runs it for long; the seeds in ``corpus`` are replayed by the tests.
"""
