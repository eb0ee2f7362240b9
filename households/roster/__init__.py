"""The roster import: the practice's own patient list becomes the portal's file.

Bytes become rows (`reading`, one module for each format), rows become clean values (`cleaning`), values are
compared with what is on file (`planning`), and a plan is written in one transaction (`applying`).
`roster_import.import_roster` does all four; everything before `applying` writes nothing.
"""
