"""Events and views as files and frames that other programs read."""
