"""Activities of these tests, found as a tenant's would be."""
