// An OAuth 2.0 server (oidc-provider) and a FHIR server that asks it about every token, on two ports: two origins.
//
// Standard input's first line is the configuration: {"clients": [{client_id, scope, jwks, lifetime}, …]}, `lifetime` in
// seconds. "READY <FHIR base>" is printed when both answer; the process ends with its standard input. What either server
// was sent is kept for the test, which alone knows that there is a /journal.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { authorizationServer, listen } from './provider.mjs';

const SCOPES = ['system/*.rs', 'system/*.read'];
const POLLS = 6;
const PATIENT = {
  resourceType: 'Patient',
  id: 'only',
  meta: { versionId: '1', lastUpdated: '2024-02-29T12:00:00Z' },
  name: [{ family: 'Example', given: ['Pat'] }],
  gender: 'other',
  birthDate: '1970-01-01',
};

const journal = { tokens: [], assertions: [], refused: [], requests: [] };

/** The FHIR server: what it says of itself is for everybody, an export for who has a token that is active. */
async function fhirServer(oauth, resources) {
  const server = createServer();
  const origin = await listen(server);
  const base = `${origin}/fhir`;
  const jobs = new Map();

  const capability = {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: '2024-02-29',
    kind: 'instance',
    fhirVersion: '4.0.1',
    format: ['application/fhir+json'],
    implementation: { description: 'One patient behind OAuth 2.0', url: base },
    instantiates: ['http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data|2.0.0'],
    rest: [{
      mode: 'server',
      operation: [{ name: 'export', definition: 'http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export' }],
      resource: [
        {
          type: 'Group',
          operation: [
            { name: 'export', definition: 'http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export' },
          ],
        },
        { type: 'Patient' },
      ],
    }],
  };
  const smart = {
    token_endpoint: oauth.token_endpoint,
    token_endpoint_auth_methods_supported: oauth.token_endpoint_auth_methods_supported,
    token_endpoint_auth_signing_alg_values_supported: oauth.token_endpoint_auth_signing_alg_values_supported,
    grant_types_supported: oauth.grant_types_supported,
    scopes_supported: oauth.scopes_supported.filter((scope) => scope.startsWith('system/')),
    capabilities: ['client-confidential-asymmetric', 'permission-v1', 'permission-v2'],
  };

  /** Whether the OAuth server says that a token is active and good for reading everything. */
  async function active(token) {
    const credentials = Buffer.from(`${resources.client_id}:${resources.client_secret}`).toString('base64');
    const answer = await fetch(oauth.introspection_endpoint, {
      method: 'POST',
      headers: { authorization: `Basic ${credentials}` },
      body: new URLSearchParams({ token }),
    });
    const said = await answer.json();
    return answer.ok && said.active && (said.scope ?? '').split(' ').some((scope) => SCOPES.includes(scope));
  }

  const json = (status, body, headers = {}) => ({ status, headers, type: 'application/json', body: JSON.stringify(body) });
  const outcome = (status, code, text, headers) =>
    json(status, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code, diagnostics: text }] }, headers);

  async function answer(request, token) {
    const { pathname } = new URL(request.url, origin);
    const of = `${request.method} ${decodeURIComponent(pathname)}`;
    if (of === 'GET /fhir/metadata') return json(200, capability);
    if (of === 'GET /fhir/.well-known/smart-configuration') return json(200, smart);
    if (token === undefined || !(await active(token))) {
      return outcome(401, 'login', 'no active token', { 'www-authenticate': 'Bearer' });
    }
    if (/^GET \/fhir\/(Group\/[^/]+\/)?\$export$/.test(of)) {
      const id = String(jobs.size + 1);
      jobs.set(id, { polls: 0, request: `${origin}${request.url}`, time: new Date().toISOString() });
      return { status: 202, headers: { 'content-location': `${base}/jobs/${id}` } };
    }
    const job = /^\/fhir\/jobs\/(\w+)$/.exec(pathname)?.[1];
    if (jobs.has(job) && request.method === 'DELETE') return { status: 202, headers: {} };
    if (jobs.has(job) && request.method === 'GET') {
      const { polls, time, request: kickOff } = jobs.get(job);
      jobs.get(job).polls += 1;
      if (polls < POLLS) return { status: 202, headers: { 'retry-after': '1', 'x-progress': `${polls} of ${POLLS}` } };
      const output = [{ type: 'Patient', url: `${base}/files/Patient.ndjson`, count: 1 }];
      return json(200, { transactionTime: time, request: kickOff, requiresAccessToken: true, output, error: [] });
    }
    if (of === 'GET /fhir/files/Patient.ndjson') {
      return { status: 200, headers: {}, type: 'application/fhir+ndjson', body: `${JSON.stringify(PATIENT)}\n` };
    }
    return outcome(404, 'not-found', 'nothing is here');
  }

  server.on('request', async (request, response) => {
    if (request.url === '/journal') return response.end(JSON.stringify(journal));
    const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    try {
      const { status, headers, type, body } = await answer(request, token);
      journal.requests.push({ request: `${request.method} ${request.url}`, status, token: token ?? null });
      response.writeHead(status, type ? { ...headers, 'content-type': type } : headers).end(body);
    } catch (error) {
      console.error(error);
      response.writeHead(500).end();
    }
  });
  return base;
}

const input = createInterface({ input: process.stdin });
input.once('line', async (line) => {
  const resources = { client_id: 'resources', client_secret: randomBytes(32).toString('hex') };
  // It asks about tokens, and gets none.
  const asking = { ...resources, grant_types: [], token_endpoint_auth_method: 'client_secret_basic' };
  const oauth = await authorizationServer({
    clients: JSON.parse(line).clients,
    others: [asking],
    scopes: SCOPES,
    features: { introspection: { enabled: true } },
    journal,
  });
  console.log(`READY ${await fhirServer(oauth, resources)}`);
});
input.on('close', () => process.exit());
