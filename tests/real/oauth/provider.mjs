// oidc-provider, which knows clients by their keys and gives tokens by the grant client_credentials.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

/** Lets a server listen on a free port of the loopback interface. Returns its origin. */
export const listen = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`)));

const machine = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };

/**
 * Starts it. Returns what it says about itself.
 *
 * `clients` are those that prove themselves by an assertion ({client_id, scope, jwks, lifetime}, `lifetime` of their tokens in
 * seconds), `others` as oidc-provider has them. What was asked and given is added to `journal`.
 */
export async function authorizationServer({ clients, others = [], scopes, features = {}, journal, ...settings }) {
  const server = createServer();
  const issuer = await listen(server);
  const lifetimes = new Map(clients.map(({ client_id, lifetime }) => [client_id, lifetime]));
  const provider = new Provider(issuer, {
    clients: [
      ...clients.map(({ client_id, scope, jwks }) => ({
        ...machine, client_id, scope, jwks, token_endpoint_auth_method: 'private_key_jwt',
      })),
      ...others.map((client) => ({ ...machine, ...client })),
    ],
    scopes,
    clientAuthMethods: ['private_key_jwt', 'client_secret_basic'],
    enabledJWA: { clientAuthSigningAlgValues: ['RS384', 'ES384'] },
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false }, ...features },
    ttl: { ClientCredentials: (_ctx, _token, client) => lifetimes.get(client.clientId) },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    ...settings,
  });
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.oidc?.route !== 'token') return;
    const assertion = ctx.oidc.params?.client_assertion;
    if (assertion) journal.assertions.push(assertion);
    const { access_token: token, error } = ctx.body;
    if (token) journal.tokens.push({ client: ctx.oidc.client.clientId, token, scope: ctx.body.scope });
    if (error) journal.refused.push({ error, status: ctx.status, scope: ctx.oidc.params?.scope });
  });
  provider.on('server_error', (_ctx, error) => console.error(error));
  server.on('request', provider.callback());
  const answer = await fetch(`${issuer}/.well-known/openid-configuration`);
  return answer.json();
}
