"""Bad input."""
