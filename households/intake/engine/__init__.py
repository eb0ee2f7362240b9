"""What a FHIR R4 Questionnaire says about a set of answers: which questions are asked, what is calculated,
what is wrong. Plain Python over plain JSON; it knows neither Django nor the portal."""
