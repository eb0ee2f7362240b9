"""Building a form: pure functions over the JSON of a FHIR R4 Questionnaire.

Every function takes a definition and gives back another one; what it does not know stays as it is. Raises
CannotBuild with a sentence for the staff that names the fix.
"""
