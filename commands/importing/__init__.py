"""`./hookledger import`: people from a file, as if their facts had come."""
