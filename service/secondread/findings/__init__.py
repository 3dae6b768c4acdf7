"""From marks to findings: groups in millimetres, outline, descriptors, and which are shown."""
