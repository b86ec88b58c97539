"""Tables, their gradients, and what they know about rows that have been idle."""
