"""What a ledger must survive: killed writers, lost power, full and broken disks.

``python -m tests.torture`` runs the long version; the tests here a short one.
"""
