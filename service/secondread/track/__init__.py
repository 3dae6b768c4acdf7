"""The SQL database: tables, states, transactions, migrations."""
