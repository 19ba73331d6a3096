"""Activities of the tests, found as a tenant's would be."""
