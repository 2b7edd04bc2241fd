// node findings.js REPORT TEMPLATE... writes every finding of cdk-nag's packs to REPORT, a JSON array
// of {template, resource, rule, description}. Which of them are excused is for run.py to say.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { App, Stack, Validations } = require("aws-cdk-lib");
const { CfnInclude } = require("aws-cdk-lib/cloudformation-include");
const nag = require("cdk-nag");

const PACKS = [
  nag.AwsSolutionsChecks,
  nag.HIPAASecurityChecks,
  nag.NIST80053R4Checks,
  nag.NIST80053R5Checks,
  nag.PCIDSS321Checks,
  nag.ServerlessChecks,
];
// As in the ids of their rules.
const NAMES = ["AwsSolutions", "HIPAA.Security", "NIST.800.53.R4", "NIST.800.53.R5", "PCI.DSS.321", "Serverless"];

const [report, ...templates] = process.argv.slice(2);
const outdir = fs.mkdtempSync(path.join(os.tmpdir(), "nag-"));
try {
  const app = new App({ outdir, analyticsReporting: false });
  templates.forEach((templateFile, index) => {
    try {
      new CfnInclude(new Stack(app, `Stack${index}`), "Template", { templateFile });
    } catch (error) {
      throw new Error(`${templateFile}: ${error.message}`);
    }
  });
  Validations.of(app).addPlugins(...PACKS.map((Pack) => new Pack(app)));
  const validation = path.join(outdir, "validation-report.json");
  try {
    app.synth();
  } catch (error) {
    // Findings end the synthesis with an error after the report is written.
    if (!fs.existsSync(validation)) throw error;
  }
  const { pluginReports } = fs.existsSync(validation)
    ? JSON.parse(fs.readFileSync(validation, "utf8"))
    : { pluginReports: [] };
  const findings = pluginReports
    .flatMap(({ violations }) => violations)
    // CDK reports in the same place that its own validation ran out of time, which is not ours.
    .filter(({ ruleName }) => NAMES.some((name) => ruleName.startsWith(`${name}-`)))
    .flatMap(({ ruleName, description, violatingConstructs }) =>
      violatingConstructs.map(({ constructPath }) => {
        const [stack, , resource] = constructPath.split("/");
        const template = templates[Number(stack.slice("Stack".length))];
        return { template, resource, rule: ruleName, description };
      }),
    );
  fs.writeFileSync(report, JSON.stringify(findings));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  fs.rmSync(outdir, { recursive: true });
}
