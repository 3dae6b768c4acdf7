"""The result objects, built in memory: Mammography CAD SR and secondary captures."""
