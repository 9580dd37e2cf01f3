"""The command line as typed, against what other programs rely on."""
