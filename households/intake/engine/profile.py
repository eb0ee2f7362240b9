"""What of FHIR R4 and SDC the forms here know, and what families see instead of the rest.

A feature that is in none of these tables is named as unknown: nothing is dropped in silence.
"""

from __future__ import annotations

# By the name of the extension (findings.tail), where HL7 defines it.
KNOWN = frozenset(
    "ordinalValue itemWeight hidden itemControl displayCategory unit unitOption unitValueSet optionExclusive "
    "optionPrefix minValue maxValue minQuantity maxQuantity minLength regex maxDecimalPlaces minOccurs "
    "maxOccurs mimeType maxSize entryFormat variable calculatedExpression initialExpression "
    "enableWhenExpression answerExpression constraint targetConstraint "
    "referenceResource valueset-label valueset-conceptOrder fhirType".split()
)
# urn:kinchart:danger is an address without "/".
OWN = "urn:kinchart:danger"

# How it looks, or where the text comes from: nothing that families read or may answer changes.
LAYOUT = frozenset(
    "choiceOrientation rendering-style rendering-styleSensitive rendering-xhtml rendering-markdown width "
    "columnCount collapsible keyboard shortText sliderStepValue openLabel optionalDisplay choiceColumn "
    "itemControl-visibility sidebar sdf-itemControl-visibility sdf-sidebar shortcut tableOption style "
    "quantity-precision disabledDisplay extension-Questionnaire.item.disabledDisplay Questionnaire.item.disabledDisplay "
    "hcx-autocomplete hcx-horizontal Questionnaire-hcx-horizontal Questionnaire-hcx-autocomplete".split()
)
# What other systems do with the form or with its answers.
ELSEWHERE = frozenset(
    "observationExtract observationLinkPeriod launchContext targetStructureMap itemExtractionContext "
    "definitionExtract definitionExtractValue templateExtract sourceQueries itemPopulationContext "
    "endpoint performerType entryMode preferredTerminologyServer cqf-library sourceStructureMap "
    "cpg-knowledgeCapability cpg-knowledgeRepresentationLevel cpg-answerValueSetSource versionAlgorithm "
    "Questionnaire.versionAlgorithm[x] artifact-versionAlgorithm assemble-expectation assembledFrom "
    "assembleContext valueset-system valueset-reference questionnaireAdaptive responseRenderingLiquid metadata "
    "sdf-authenticationrequirement sdf-information-message sdf-save-capabilities alsoSeenAt sourceSha256 "
    "derivedFromArtifact sourceSearchEngine sourceSearchQuery isSubject baseType "
    "structuredefinition-wg structuredefinition-fmm structuredefinition-standards-status".split()
)

# What changes how the form behaves, and what families see instead.
INSTEAD = {
    "candidateExpression": "Choices that a search would suggest are not offered. Families type the answer.",
    "lookupQuestionnaire": "The form that looks up this answer is not opened. Families answer here.",
    "answerOptionsToggleExpression": "Choices that come and go with other answers are all shown.",
    "cqf-expression": "Words or a setting that another answer would decide stay as the file has them.",
    "sdf-fhirpath": "Words that another answer would decide stay as the file has them.",
    "cqf-calculatedValue": "A limit that is worked out anew each day is checked as the file has it.",
    "itemMedia": "A picture, sound or film with the question is not shown.",
    "itemAnswerMedia": "A picture with a choice is not shown. Families read its words.",
    "supportLink": "A link to more information is not shown: no page of the portal leads elsewhere.",
    "signatureRequired": "A signature of one question is not asked. Set “to be signed” for the whole form.",
    "referenceProfile": "Families type the name instead of choosing a record.",
    "allowedResource": "Families type the name instead of choosing a record.",
    "referenceFilter": "Families type the name instead of choosing a record.",
    "unitOpen": "Families choose one of the units that are named, or type another only where there is none.",
    "unitSupplementalSystem": "Only the units that are named are offered.",
    "usageMode": "It is meant for some uses only and is shown in all of them.",
    "rendering-criticalExtension": "The file says that it must be shown in one exact way: compare the preview.",
    "translation": "The form is shown in its own language only.",
    "instruction": "An instruction of an older kind is not shown. Put it into a help text.",
    "validationtext": "Its own words for a wrong answer are not shown. Families read the portal's words.",
    "sdf-guidanceaction": "A step that another portal offers afterwards is not shown.",
    "sdf-sublabel": "A second line under the question is not shown.",
    "valueset-unselect-others": "A choice that ends all others does not end them by itself.",
    "subQuestionnaire": "The questions of another form belong here, which is not on file.",
    "dialog": "A note that pops up is not shown.",
    "option-note-info": "A note on a choice is not shown.",
    "question-note-info": "A note on the question is not shown.",
    "group-note-info": "A note on the section is not shown.",
}

# questionnaire-itemControl: what is drawn as it says, and what otherwise.
CONTROLS = frozenset(
    "check-box radio-button drop-down autocomplete text-box spinner help instructions display inline prompt unit "
    "lower upper legal security list group header footer page open-choice text-area input radio".split()
)
CONTROLS_INSTEAD = {
    "slider": "A slider is shown as a box for the number, or as choices.",
    "gtable": "A table is shown as one block of questions under the other.",
    "grid": "A table is shown as one block of questions under the other.",
    "htable": "A table is shown as one question under the other.",
    "table": "A table is shown as one question under the other.",
    "atable": "A table is shown as one question under the other.",
    "group-table": "A table is shown as one block of questions under the other.",
    "tab-container": "Tabs are shown as sections, one after the other.",
    "flyover": "Words that pop up over the question are shown beside it.",
    "lookup": "Choices that a search would suggest are not offered. Families type the answer.",
}
