// Redocly's recommended rules over the API document: node lint.js FILE, run in
// the directory that holds node_modules. A line for each finding.
const { lint, createConfig } = require('@redocly/openapi-core');

const rules = {
  'info-license': 'off', // the service has no terms of its own
  'operation-4xx-response': 'off', // what needs no store refuses nothing
  'tag-description': 'off', // a tag is its noun
  'operation-operationId-url-safe': 'error',
  'operation-description': 'off',
  'no-ambiguous-paths': 'off', // the route table is ordered
};

(async () => {
  const config = await createConfig({ extends: ['recommended'], rules });
  for (const p of await lint({ ref: process.argv[2], config })) {
    const at = p.location.length ? p.location[0].pointer : '';
    console.log(`${p.ruleId} ${at}: ${p.message.replace(/\s+/g, ' ')}`);
  }
})().catch((e) => {
  console.log(`lint.js: ${e.message}`);
});
