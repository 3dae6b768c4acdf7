"""Bring outbox objects to their destinations, for as long as it takes."""
