"""Activities that go wrong as a tenant's may, with everything they know in their errors."""
