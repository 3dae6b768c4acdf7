"""What changed since the prior, and where a finding lies in the treated breast."""
