// An identity provider for tests, on loopback, built on the npm package "oidc-provider".
//   STACK_OIDC_PORT        the issuer: discovery, keys, token, introspection, revocation
//   STACK_OIDC_ADMIN_PORT  what tests may tell it: see the last part
// Everything lives in memory; all secrets are for tests only.
import http from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider, errors } from 'oidc-provider';

const HOST = '127.0.0.1';
const PORT = Number(process.env.STACK_OIDC_PORT);
const ADMIN_PORT = Number(process.env.STACK_OIDC_ADMIN_PORT);
const ISSUER = `http://${HOST}:${PORT}`;
const TTL = 300;
const AUDIENCE = 'llama-stack';

// ── what it remembers ────────────────────────────────────────────────────────────────────────────────────────────────

// One Map for all models, kept when keys rotate, so that opaque tokens survive it.
const shelf = new Map();
class Shelf {
  constructor(model) { this.model = model; }
  #k(id) { return `${this.model}/${id}`; }
  async upsert(id, payload, ttl) {
    shelf.set(this.#k(id), { payload, dies: ttl ? Date.now() + ttl * 1000 : Infinity });
  }
  async find(id) {
    const hit = shelf.get(this.#k(id));
    if (!hit) return undefined;
    if (hit.dies <= Date.now()) { shelf.delete(this.#k(id)); return undefined; }
    return hit.payload;
  }
  async #first(test) {
    for (const [key, { payload }] of shelf) {
      if (key.startsWith(`${this.model}/`) && test(payload)) return payload;
    }
    return undefined;
  }
  async findByUid(uid) { return this.#first((p) => p.uid === uid); }
  async findByUserCode(code) { return this.#first((p) => p.userCode === code); }
  async consume(id) { const p = await this.find(id); if (p) p.consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { shelf.delete(this.#k(id)); }
  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of shelf) if (payload.grantId === grantId) shelf.delete(key);
  }
}

// ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

let generation = 0;
function freshKeys() {
  generation += 1;
  const make = (type, opts, alg) => ({
    ...generateKeyPairSync(type, opts).privateKey.export({ format: 'jwk' }),
    use: 'sig', alg, kid: `${alg.toLowerCase()}-g${generation}-${randomUUID().slice(0, 8)}`,
  });
  return [make('rsa', { modulusLength: 2048 }, 'RS256'), make('ec', { namedCurve: 'P-256' }, 'ES256')];
}
let keys = freshKeys();

// ── people, resources, clients ───────────────────────────────────────────────────────────────────────────────────────

// The same as in Keycloak's realm; carol has no tenant.
const people = {
  alice: { roles: ['admin', 'ml-user'], groups: ['/ml-team', '/eng'], projects: ['apollo', 'gemini'], tenant: 'red' },
  bob: { roles: ['ml-user'], groups: ['/data'], projects: ['gemini'], tenant: 'blue' },
  carol: { roles: ['ml-user'], groups: ['/ml-team'], projects: ['gemini'] },
  dora: { roles: ['ml-user'], groups: ['/data'], projects: ['gemini'], tenant: 'red' },
};
const passwordOf = (name) => `${name}-test-only`;

// What a token is for decides what it is: `resource` in the request for it.
const resource = (format, { alg, audience = AUDIENCE, ttl = TTL } = {}) => ({
  scope: 'chat embed', audience, accessTokenTTL: ttl, accessTokenFormat: format,
  ...(alg ? { jwt: { sign: { alg } } } : {}),
});
const resources = {
  'urn:stack:opaque': resource('opaque'),
  'urn:stack:opaque-short': resource('opaque', { ttl: 5 }),
  'urn:stack:opaque-other': resource('opaque', { audience: 'other-api' }),
  'urn:stack:jwt': resource('jwt', { alg: 'RS256' }),
  'urn:stack:jwt-es256': resource('jwt', { alg: 'ES256' }),
  'urn:stack:jwt-other': resource('jwt', { alg: 'RS256', audience: 'other-api' }),
};

const machine = { redirect_uris: [], response_types: [], scope: 'chat embed' };
const issues = { ...machine, grant_types: ['client_credentials', 'password'] };
const reads = { ...machine, grant_types: [] };
const clients = [
  { client_id: 'svc-basic', client_secret: 'svc-basic-test-only', token_endpoint_auth_method: 'client_secret_basic', ...issues },
  { client_id: 'svc-post', client_secret: 'svc-post-test-only', token_endpoint_auth_method: 'client_secret_post', ...issues },
  { client_id: 'gw-basic', client_secret: 'gw-basic-test-only', token_endpoint_auth_method: 'client_secret_basic', ...reads },
  { client_id: 'gw-post', client_secret: 'gw-post-test-only', token_endpoint_auth_method: 'client_secret_post', ...reads },
  // gets a signed answer if it asks for one: Accept: application/token-introspection+jwt
  { client_id: 'gw-signed', client_secret: 'gw-signed-test-only', token_endpoint_auth_method: 'client_secret_basic', introspection_signed_response_alg: 'RS256', ...reads },
  // comes out differently when a gateway forgets to form-encode id and secret for Basic
  { client_id: 'gw:odd', client_secret: 'p+a%41:w/rd =test-only', token_endpoint_auth_method: 'client_secret_basic', ...reads },
  // known, but every token is inactive to it
  { client_id: 'outsider', client_secret: 'outsider-test-only', token_endpoint_auth_method: 'client_secret_basic', ...reads },
];
const readers = new Set(['gw-basic', 'gw-post', 'gw-signed', 'gw:odd']);

// ── the provider ─────────────────────────────────────────────────────────────────────────────────────────────────────

function build() {
  const provider = new Provider(ISSUER, {
    adapter: Shelf,
    clients,
    jwks: { keys: structuredClone(keys) },
    scopes: ['openid', 'chat', 'embed'],
    cookies: { keys: ['cookie-key-test-only'] },
    ttl: { // a number would be for all resources alike
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? TTL,
      ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? TTL,
      Grant: 3600,
    },
    findAccount: (_ctx, id) => (people[id] ? { accountId: id, claims: async () => ({ sub: id }) } : undefined),
    // in JWTs and in introspection answers both
    extraTokenClaims(_ctx, token) {
      const who = people[token.accountId];
      if (!who) return undefined;
      return {
        preferred_username: token.accountId, groups: who.groups, projects: who.projects,
        realm_access: { roles: who.roles }, ...(who.tenant ? { tenant: who.tenant } : {}),
      };
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => readers.has(client.clientId) || client.clientId === token.clientId,
      },
      jwtIntrospection: { enabled: true },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => client.clientId === token.clientId },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(_ctx, id) {
          if (!resources[id]) throw new errors.InvalidTarget();
          return resources[id];
        },
      },
    },
  });

  // The package has no password grant; without one, a user's token takes a browser.
  provider.registerGrantType('password', async (ctx) => {
    const { username, password, scope, resource: wanted } = ctx.oidc.params;
    if (!people[username] || password !== passwordOf(username)) throw new errors.InvalidGrant('wrong username or password');
    const { client } = ctx.oidc;
    if (wanted !== undefined && !resources[wanted]) throw new errors.InvalidTarget();
    const grant = new provider.Grant({ accountId: username, clientId: client.clientId });
    if (scope) wanted ? grant.addResourceScope(wanted, scope) : grant.addOIDCScope(scope);
    const grantId = await grant.save();
    const token = new provider.AccessToken({ accountId: username, client, grantId, gty: 'password', scope });
    if (wanted) token.resourceServer = new provider.ResourceServer(wanted, resources[wanted]);
    ctx.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: token.expiration, scope };
  }, ['username', 'password', 'scope', 'resource']);

  return provider.callback();
}

// ── the two ports ────────────────────────────────────────────────────────────────────────────────────────────────────

let handle = build();
const counts = {}; // path -> requests
const broken = new Map(); // path -> { status, left, delay }

const issuerServer = http.createServer((req, res) => {
  const path = req.url.split('?')[0];
  counts[path] = (counts[path] ?? 0) + 1;
  const fault = broken.get(path);
  if (!fault || fault.left === 0) { handle(req, res); return; }
  fault.left -= 1;
  setTimeout(() => {
    if (fault.status === 0) { handle(req, res); return; } // only late
    if (fault.status < 0) { req.socket.destroy(); return; }
    res.writeHead(fault.status, { 'content-type': 'text/plain' }).end('switched off by the test\n');
  }, fault.delay);
});

// GET  /state            ids of the keys, newest first; how often each path was asked for
// POST /rotate           new keys sign from now on, and are the only ones; keep=true: the old ones stay published
// POST /retire           the old ones are published no longer
// POST /break?path=/jwks&status=503&times=2&delay=100
//                        the next requests for the path get this status, after so many milliseconds;
//                        status 0: the right answer, but late; -1: the connection closed; no times: until /heal
// POST /heal
// Each answers with the state.
const adminServer = http.createServer((req, res) => {
  const { pathname, searchParams: q } = new URL(req.url, ISSUER);
  const say = (status, body) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  switch (`${req.method} ${pathname}`) {
    case 'GET /state': break;
    case 'POST /rotate':
      keys = [...freshKeys(), ...(q.get('keep') === 'true' ? keys : [])];
      handle = build();
      break;
    case 'POST /retire':
      keys = keys.slice(0, 2);
      handle = build();
      break;
    case 'POST /break':
      broken.set(q.get('path'), {
        status: Number(q.get('status') ?? 503), left: Number(q.get('times') ?? -1), delay: Number(q.get('delay') ?? 0),
      });
      break;
    case 'POST /heal': broken.clear(); break;
    default: say(404, { error: `there is no ${req.method} ${pathname}` }); return;
  }
  say(200, { kids: keys.map((k) => k.kid), counts });
});

// oidc.sh waits for this line
issuerServer.listen(PORT, HOST, () => adminServer.listen(ADMIN_PORT, HOST, () => console.log(`ready ${ISSUER}`)));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
