"""Reading files without network or database, as `secondread read` does."""
