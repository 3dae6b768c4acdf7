"""Health, metrics and the operations pages."""
