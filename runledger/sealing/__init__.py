"""Signed heads: what no one who writes the database can make, and anyone can check."""
