"""Staff's door: a password, then a second factor, and who is signed in (SECURITY R-AU-13, R-AU-14)."""
