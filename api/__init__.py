"""The HTTP edge: who calls, what is it, is it recorded, and the answer."""
