"""What really happened somewhere, told as events, and what is right to say of it at which time."""
