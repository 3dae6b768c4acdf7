"""The independent checker of Mammography CAD SRs, and its tables of TID 4000."""
