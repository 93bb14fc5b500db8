// Reads an OpenAPI and an AsyncAPI document with the parsers of their makers. Ends with an error if
// one is not valid, or if the other gives a warning of its own rules.

import { readFileSync } from "node:fs";
import SwaggerParser from "@apidevtools/swagger-parser";
import { Parser } from "@asyncapi/parser";

const [openapi, asyncapi] = process.argv.slice(2);
const api = await SwaggerParser.validate(openapi);
console.log(`OpenAPI ${api.openapi}`);

const { document, diagnostics } = await new Parser().parse(readFileSync(asyncapi, "utf8"));
const [ERROR, WARNING] = [0, 1];
const found = diagnostics.filter(({ severity }) => severity === ERROR || severity === WARNING);
for (const { path, message } of found) console.error(`${path.join(".")}: ${message}`);
if (!document || found.length > 0) process.exit(1);
console.log(`AsyncAPI ${document.version()}`);
