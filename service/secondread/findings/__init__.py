"""From marks to findings: grouping in millimetres, outline, descriptors, the shown rule."""
