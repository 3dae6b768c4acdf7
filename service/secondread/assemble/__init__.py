"""Read headers into typed values, group instances into studies, decide what is in scope."""
