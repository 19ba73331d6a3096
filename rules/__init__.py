"""What a tenant may configure: conditions in CEL, unique attributes and the forms they are compared in."""
