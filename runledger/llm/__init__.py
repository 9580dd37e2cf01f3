"""What a language model is told before it proposes; ledger text is data there, never orders."""
