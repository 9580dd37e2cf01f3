"""What is seen of machines and programs, turned into ledger events.

Parsers here are pure: text and the present time go in, events come out. They
import nothing from `rules`, and appending is the service's business.
"""
