"""How each kind of event changes the state: one module a part of the state."""
