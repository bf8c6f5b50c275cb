// An OpenID provider: `node issuer.mjs <port> <dir> <key>…` on https://127.0.0.1:<port>.
//
// <dir> holds tls.pem and tls.key, and people.json, which is read for every token:
// { "<client>": { "<claim>": … } }. Each client is a person of that name; its secret is "secret".
// Keys are made when they are first named and kept in <dir>; the first one signs.
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

const provider = new Provider(`https://127.0.0.1:${port}`, {
  clients: Object.keys(people()).map(client),
  jwks: { keys: names.map(key) },
  features: {
    clientCredentials: { enabled: true },
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
createServer(tls, provider.callback()).listen(Number(port), '127.0.0.1', () => {
  console.log('ready');
});
