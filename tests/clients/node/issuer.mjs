// An OpenID provider: `node issuer.mjs <port> <dir> <key>…` on https://127.0.0.1:<port>.
//
// <dir> holds tls.pem and tls.key, and people.json, which is read for every token:
// { "<client>": { "<claim>": … } }. Each client is a person of that name; its secret is "secret".
// Keys are made when they are first named and kept in <dir>; the first one signs.
//
// People sign in as client "console" without being asked anything: as whoever comes first in
// people.json. So do devices whose code is confirmed.
//
// A token's audience, life in seconds and algorithm are in the resource that is asked for:
// urn:<audience>:<ttl>:<alg>.
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';

import Provider from 'oidc-provider';

const [port, dir, ...names] = process.argv.slice(2);

function key(name) {
  const file = join(dir, `${name}.json`);
  if (!existsSync(file)) {
    const pair = name.startsWith('ec')
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
    const alg = name.startsWith('ec') ? 'ES256' : undefined;
    const jwk = { ...pair.privateKey.export({ format: 'jwk' }), kid: name, use: 'sig', alg };
    writeFileSync(file, JSON.stringify(jwk));
  }
  return JSON.parse(readFileSync(file, 'utf8'));
}

const people = () => JSON.parse(readFileSync(join(dir, 'people.json'), 'utf8'));

const client = (id) => ({
  client_id: id,
  client_secret: 'secret',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
});

// A program on people's own machines, as far as the provider knows: it does not look at the port.
const console_ = {
  application_type: 'native',
  client_id: 'console',
  grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
  redirect_uris: ['http://127.0.0.1/login/oidc/callback'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
};

const provider = new Provider(`https://127.0.0.1:${port}`, {
  claims: { openid: ['sub', 'groups'] },
  clients: [...Object.keys(people()).map(client), console_],
  conformIdTokenClaims: false,
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, ...people()[id] }),
  }),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  async loadExistingGrant(ctx) {
    const { client, session, provider } = ctx.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid');
    await grant.save();
    return grant;
  },
  jwks: { keys: names.map(key) },
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo(_ctx, resource) {
        const [, audience, ttl, alg] = resource.split(':');
        return {
          scope: 'openid',
          audience,
          accessTokenTTL: Number(ttl),
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg } },
        };
      },
    },
  },
  extraTokenClaims: (_ctx, token) => people()[token.clientId] ?? {},
});

const tls = {
  key: readFileSync(join(dir, 'tls.key')),
  cert: readFileSync(join(dir, 'tls.pem')),
};
const answer = provider.callback();
async function serve(request, response) {
  if (!request.url.startsWith('/interaction/')) return answer(request, response);
  const login = { accountId: Object.keys(people())[0] };
  // Programs on people's machines are asked about each time: whoever confirms, confirms.
  return provider.interactionFinished(request, response, { login, consent: {} });
}
createServer(tls, serve).listen(Number(port), '127.0.0.1', () => {
  console.log('ready');
});
