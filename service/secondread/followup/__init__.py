"""What changed since the prior, and where a finding is in the treated breast."""
