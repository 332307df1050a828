// SPDX-License-Identifier: Apache-2.0
// node-oidc-provider in memory, one process: node provider.mjs PORT jwt|opaque. The peer of bench/bench_oauth.py.
import { Provider } from 'oidc-provider'
import { generateKeyPair, exportJWK } from 'jose'

const [port, format] = process.argv.slice(2)
const { privateKey } = await generateKeyPair('ES256', { extractable: true })
const url = `http://127.0.0.1:${port}`
const provider = new Provider(url, {
  jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: 'k' }] },
  clients: [{ client_id: 'bench', client_secret: 'bench-secret-bench-secret-bench-secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [], id_token_signed_response_alg: 'ES256' }],
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => (format === 'jwt' ? 'urn:bench' : undefined),
      getResourceServerInfo: () => ({ scope: 'drun', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } }, accessTokenTTL: 600 }),
    },
  },
  scopes: ['drun'],
  clientAuthMethods: ['client_secret_basic'],
})
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'))
