"""`doctor`: what is configured, what answers, what has come and what was turned away, and what to press next."""
