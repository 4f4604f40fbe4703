// A server to sign in at, for tests. Usage: node partner.mjs REDIRECT_URI FOLDER, where FOLDER has node_modules. Prints its port. Everybody is who they say: the
// address is NAME@example.com, verified unless the name begins with `un`.
import { createRequire } from 'node:module';
import { generateKeyPairSync } from 'node:crypto';
import http from 'node:http';

const { default: Provider } = await import(createRequire(`${process.argv[3]}/`).resolve('oidc-provider'));
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{ client_id: 'iot', client_secret: 'canary-oidc-secret', redirect_uris: [process.argv[2]] }],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', kid: 'one' }] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    cookies: { keys: ['tests'] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: !id.startsWith('un') }),
    }),
  });
  server.on('request', provider.callback());
  console.log(port);
});
