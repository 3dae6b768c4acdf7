"""Pictures: captures, overview, presentation states, the timeline of a lesion."""
