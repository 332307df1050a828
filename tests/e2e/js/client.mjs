// SPDX-License-Identifier: Apache-2.0
// openid-client against a running platform: node client.mjs COMMAND < JSON. Prints one JSON object.
import { readFileSync } from 'node:fs'
import https from 'node:https'
import * as client from 'openid-client'

const input = JSON.parse(readFileSync(0, 'utf8'))
const issuer = new URL(input.issuer)

// With the client's own certificate: fetch has no way to show one.
function overTls(url, options) {
  return new Promise((done, failed) => {
    const headers = Object.fromEntries(new Headers(options.headers).entries())
    const request = https.request(url, { method: options.method, headers, cert: input.cert, key: input.key }, (answer) => {
      const parts = []
      answer.on('data', (part) => parts.push(part))
      answer.on('end', () => done(new Response(Buffer.concat(parts), { status: answer.statusCode, headers: answer.headers })))
    })
    request.on('error', failed)
    request.end(options.body ? options.body.toString() : undefined)
  })
}

function auth() {
  if (input.cert) return client.TlsClientAuth()
  return input.secret ? client.ClientSecretBasic(input.secret) : client.None()
}

async function found() {
  const metadata = input.cert ? { use_mtls_endpoint_aliases: true } : {}
  return client.discovery(issuer, input.client_id, metadata, auth(), input.cert ? { [client.customFetch]: overTls } : {})
}

async function signIn(config, parameters, atToken) {
  const verifier = client.randomPKCECodeVerifier()
  const expected = { pkceCodeVerifier: verifier, expectedState: client.randomState(), expectedNonce: client.randomNonce() }
  const query = new URLSearchParams(parameters)
  query.set('redirect_uri', input.redirect)
  query.set('scope', input.scope)
  query.set('code_challenge', await client.calculatePKCECodeChallenge(verifier))
  query.set('code_challenge_method', 'S256')
  query.set('state', expected.expectedState)
  query.set('nonce', expected.expectedNonce)
  const sent = await fetch(client.buildAuthorizationUrl(config, query), { redirect: 'manual', headers: { cookie: input.cookie } })
  const location = sent.headers.get('location')
  if (!location || !location.startsWith(input.redirect)) return { stopped: { status: sent.status, location } }
  const tokens = await client.authorizationCodeGrant(config, new URL(location), expected, new URLSearchParams(atToken))
  return { tokens, claims: tokens.claims() }
}

const commands = {
  // RFC 7591: registers, then is the client that it became.
  async register() {
    const config = await client.dynamicClientRegistration(issuer, input.metadata, undefined, { initialAccessToken: input.token })
    return { registered: config.clientMetadata() }
  },

  async signIn() {
    const config = await found()
    const got = await signIn(config, input.parameters ?? [], input.at_token ?? [])
    if (got.tokens && input.end) got.end = client.buildEndSessionUrl(config, { id_token_hint: got.tokens.id_token, ...input.end }).href
    return got
  },

  // RFC 7009 and 7662.
  async revoke() {
    const config = await found()
    const before = await client.tokenIntrospection(config, input.token)
    await client.tokenRevocation(config, input.token, { token_type_hint: 'access_token' })
    return { before, after: await client.tokenIntrospection(config, input.token) }
  },

  // RFC 8693.
  async exchange() {
    const config = await found()
    return { tokens: await client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', input.parameters) }
  },

  // RFC 8705: authenticates and is given a token that is bound, which it then uses.
  async certificate() {
    const config = await found()
    const tokens = await client.clientCredentialsGrant(config)
    const used = await client.fetchProtectedResource(config, tokens.access_token, new URL('/v1/models', input.mtls), 'GET')
    const bare = await fetch(new URL('/v1/models', issuer), { headers: { authorization: `Bearer ${tokens.access_token}` } })
    return { tokens, used: used.status, bare: bare.status }
  },

  // RFC 8628.
  async device() {
    const config = await found()
    const asked = await client.initiateDeviceAuthorization(config, { scope: input.scope })
    console.error(asked.user_code)
    return { tokens: await client.pollDeviceAuthorizationGrant(config, asked) }
  },

  // RFC 9470: what the resource asks for is what the client asks the authorization server for.
  async use() {
    const config = await found()
    try {
      const answer = await client.fetchProtectedResource(config, input.token, new URL(input.url), input.method, JSON.stringify(input.body),
        new Headers({ 'content-type': 'application/json' }))
      return { status: answer.status }
    } catch (error) {
      if (!(error instanceof client.WWWAuthenticateChallengeError)) throw error
      return { status: error.status, challenge: error.cause[0] }
    }
  },
}

try {
  console.log(JSON.stringify(await commands[process.argv[2]]()))
} catch (error) {
  console.log(JSON.stringify({ error: error.error ?? error.message, description: error.error_description, code: error.code, cause: String(error.cause?.message ?? JSON.stringify(error.cause) ?? '') }))
}
