"""Journeys: api, worker and Temporal as real processes, and what happens when they are killed."""
