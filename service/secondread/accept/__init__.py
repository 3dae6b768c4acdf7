"""Take responsibility for instances: the Storage and Verification SCP and the archive behind it."""
