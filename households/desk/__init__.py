"""The practice's side of what is not one kind of record: what waits to be done, how the portal is set, how
people are let in. It may read every slice; nobody reads it but the portal's admin site."""
