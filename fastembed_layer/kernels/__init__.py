"""The loops over rows. Start with README.md in this folder."""
