"""Tests of what faces the user."""
