"""What follows from events: folds remember them, facts describe them, rules speak of the facts.

Pure: no clock, no file, no network. `rules.decide` is where to begin reading.
"""
