"""Fleet-years whose truth is known, to measure who is taken out, when, and at what price.

A year is drawn from a seed (`fate`), lived through under a system that decides (`world`),
and counted against the truth (`scoring`). Nothing here but `systems/runledger.py` knows a
rule of this project: the worlds follow the physics of cards, risers, supplies and links.
``python -m benchmarks.truth --help``; `docs/truth.md` has the method, the table and its limits.
"""
