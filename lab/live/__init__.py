"""Labs to work in: hosts and links with their overlays, for the command line and for Python alike."""
