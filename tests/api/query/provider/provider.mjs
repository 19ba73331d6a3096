// A certified OpenID Connect provider on loopback: users by name, groups by what their name begins with, JWT access tokens.
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

const [port, redirect] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const groups = (name) => ({
  auditor: ['ledger-auditors'], operator: ['ledger-operators', 'staff'], admin: ['ledger-admins'], siem: ['ledger-auditors'],
}[name.split('.')[0]] ?? ['staff']);

async function key(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `${alg}-${Date.now()}` };
}

const provider = new Provider(issuer, {
  clients: [
    { client_id: 'hookledger', client_secret: 'a secret of tests+/%', redirect_uris: [redirect], grant_types: ['authorization_code'], response_types: ['code'] },
    { client_id: 'siem', client_secret: 'another', redirect_uris: [], grant_types: ['client_credentials'], response_types: [] },
    { client_id: 'staff', client_secret: 'a third', redirect_uris: [], grant_types: ['client_credentials'], response_types: [] },
  ],
  jwks: { keys: [await key('RS256'), await key('ES256')] },
  cookies: { keys: ['cookies of tests'] },
  claims: { openid: ['sub'], profile: ['groups'] },
  findAccount: (_, name) => ({ accountId: name, claims: () => ({ sub: name, groups: groups(name) }) }),
  extraTokenClaims: (_, token) => ({ groups: groups(token.accountId ?? token.clientId) }),
  pkce: { required: () => true },
  conformIdTokenClaims: process.env.GROUPS_IN !== 'id_token',
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, audience) => ({
        scope: 'read', audience, accessTokenFormat: 'jwt', accessTokenTTL: 600,
        jwt: { sign: { alg: audience.endsWith('rsa') ? 'RS256' : 'ES256' } },
      }),
    },
  },
});

createServer(provider.callback()).listen(Number(port), '127.0.0.1', () => console.log('listening'));
