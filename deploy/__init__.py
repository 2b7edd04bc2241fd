"""Deploy one part of the project: stack, recorded outputs, Chalice."""
