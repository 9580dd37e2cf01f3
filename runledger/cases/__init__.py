"""Cases: a small history, a question, and what must be decided; run as tests or cut out."""
