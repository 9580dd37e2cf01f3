"""Live decisions: the history folded up to a cut, judged, and written down."""
