"""What `secondread demo` runs beside the node: a small archive that stands for the hospital's."""
