"""Where a table goes, and whether there is memory for it."""
