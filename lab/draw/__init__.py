"""Pictures and tables of a topology."""
