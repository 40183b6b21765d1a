// An OAuth 2.0 server (oidc-provider) for a FHIR server that other people have written: its tokens are signed JWTs.
//
// Standard input's first line is the configuration: {"audience": …, "scopes": […], "clients": [{client_id, scope, jwks,
// lifetime}, …]}, `audience` the URI that the tokens are for, `lifetime` in seconds. "READY <issuer>" is printed when it
// answers; the process ends with its standard input.

import { generateKeyPairSync } from 'node:crypto';
import { createInterface } from 'node:readline';

import { authorizationServer } from './provider.mjs';

const input = createInterface({ input: process.stdin });
input.once('line', async (line) => {
  const { audience, scopes, clients } = JSON.parse(line);
  const resource = { audience, scope: scopes.join(' '), accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } };
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  const oauth = await authorizationServer({
    clients,
    scopes,
    // Clients name no resource: there is one.
    features: {
      resourceIndicators: { enabled: true, defaultResource: () => audience, getResourceServerInfo: () => resource },
    },
    jwks: { keys: [{ ...key, use: 'sig', alg: 'RS256', kid: 'one' }] },
    journal: { tokens: [], assertions: [], refused: [] },
  });
  console.log(`READY ${oauth.issuer}`);
});
input.on('close', () => process.exit());
