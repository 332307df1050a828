// SPDX-License-Identifier: Apache-2.0
// oauth4webapi against a running platform: node oauth.mjs COMMAND < JSON. Prints one JSON object.
import * as oauth from 'oauth4webapi'
import { readFileSync } from 'node:fs'

const input = JSON.parse(readFileSync(0, 'utf8'))
const issuer = new URL(input.issuer)
const cookie = input.cookie

// The browser: follows nothing, shows where it was sent.
async function visit(url) {
  const answer = await fetch(url, { redirect: 'manual', headers: cookie ? { cookie } : {} })
  return { status: answer.status, location: answer.headers.get('location'), text: await answer.text() }
}

async function server() {
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer))
}

async function keyOf(jwk, alg) {
  return crypto.subtle.importKey('jwk', jwk, alg === 'EdDSA' ? { name: 'Ed25519' } : { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
}

async function clientAuth() {
  if (input.secret) return oauth.ClientSecretBasic(input.secret)
  if (input.jwk) return oauth.PrivateKeyJwt({ key: await keyOf(input.jwk, input.jwk.alg), kid: input.jwk.kid })
  return oauth.None()
}

const client = { client_id: input.client_id, ...(input.id_token_alg ? { id_token_signed_response_alg: input.id_token_alg } : {}) }

// A request that fails for want of a nonce is made again with the one that came, as RFC 9449 wants it.
async function withNonce(run) {
  try {
    return await run()
  } catch (error) {
    if (oauth.isDPoPNonceError(error)) return run()
    throw error
  }
}

async function code(as, auth, handle) {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const parameters = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: input.redirect,
    response_type: 'code',
    scope: input.scope,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...input.parameters,
  })
  if (input.sign) {
    const key = await keyOf(input.jwk, input.jwk.alg)
    const request = await oauth.issueRequestObject(as, client, parameters, { key, kid: input.jwk.kid })
    for (const name of [...parameters.keys()]) parameters.delete(name)
    parameters.set('client_id', client.client_id)
    parameters.set('request', request)
  }
  const url = new URL(as.authorization_endpoint)
  let pushed
  if (input.push) {
    pushed = await withNonce(async () => {
      const answer = await oauth.pushedAuthorizationRequest(as, client, auth, parameters, handle ? { DPoP: handle } : {})
      return oauth.processPushedAuthorizationResponse(as, client, answer)
    })
    url.searchParams.set('client_id', client.client_id)
    url.searchParams.set('request_uri', pushed.request_uri)
  } else {
    url.search = parameters.toString()
  }
  const sent = await visit(url)
  if (!sent.location) return { stopped: sent, pushed }
  const back = new URL(sent.location)
  if (!back.href.startsWith(input.redirect)) return { stopped: sent, pushed }
  const checked = oauth.validateAuthResponse(as, client, back, state)
  const tokens = await withNonce(async () => {
    const answer = await oauth.authorizationCodeGrantRequest(as, client, auth, checked, input.redirect, verifier, handle ? { DPoP: handle } : {})
    return oauth.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: nonce, requireIdToken: input.scope.includes('openid') })
  })
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  return { tokens, claims, pushed, url: url.href }
}

const commands = {
  async credentials() {
    const as = await server()
    const auth = await clientAuth()
    const handle = input.dpop ? oauth.DPoP(client, await oauth.generateKeyPair(input.dpop)) : undefined
    const tokens = await withNonce(async () => {
      const answer = await oauth.clientCredentialsGrantRequest(as, client, auth, new URLSearchParams(input.parameters ?? {}), handle ? { DPoP: handle } : {})
      return oauth.processClientCredentialsResponse(as, client, answer)
    })
    return { tokens, ...(await use(tokens, handle)) }
  },

  async introspect() {
    const as = await server()
    const answer = await oauth.introspectionRequest(as, client, await clientAuth(), input.token, { requestJwtResponse: !!input.jwt })
    const claims = await oauth.processIntrospectionResponse(as, { ...client, ...(input.alg ? { introspection_signed_response_alg: input.alg } : {}) }, answer)
    if (input.jwt) await oauth.validateApplicationLevelSignature(as, answer)
    return { claims }
  },

  async code() {
    const as = await server()
    const auth = await clientAuth()
    const handle = input.dpop ? oauth.DPoP(client, await oauth.generateKeyPair(input.dpop)) : undefined
    const got = await code(as, auth, handle)
    if (!got.tokens) return got
    const out = { ...got, ...(await use(got.tokens, handle)) }
    if (input.scope.includes('openid')) {
      const answer = await withNonce(async () => oauth.userInfoRequest(as, client, got.tokens.access_token, handle ? { DPoP: handle } : {}))
      out.userinfo = await oauth.processUserInfoResponse(as, client, got.claims.sub, answer)
    }
    if (got.tokens.refresh_token) {
      const refreshed = await withNonce(async () => {
        const answer = await oauth.refreshTokenGrantRequest(as, client, auth, got.tokens.refresh_token, handle ? { DPoP: handle } : {})
        return oauth.processRefreshTokenResponse(as, client, answer)
      })
      out.refreshed = refreshed
      if (handle) {
        const other = oauth.DPoP(client, await oauth.generateKeyPair(input.dpop))
        try {
          await withNonce(async () => {
            const answer = await oauth.refreshTokenGrantRequest(as, client, auth, refreshed.refresh_token, { DPoP: other })
            return oauth.processRefreshTokenResponse(as, client, answer)
          })
          out.stolen = 'accepted'
        } catch (error) {
          out.stolen = error.error ?? String(error)
        }
      }
    }
    return out
  },
}

// The token at the platform's API: with its own proof, without one, with another key's.
async function use(tokens, handle) {
  const url = new URL('/api/v1/namespaces', issuer)
  const status = async (make) => {
    try {
      return (await make()).status
    } catch (error) {
      return error.status ?? error.response?.status ?? String(error)
    }
  }
  const out = {}
  out.used = await status(() => oauth.protectedResourceRequest(tokens.access_token, 'GET', url, undefined, undefined, handle ? { DPoP: handle } : {}))
  out.again = await status(() => oauth.protectedResourceRequest(tokens.access_token, 'GET', url, undefined, undefined, handle ? { DPoP: handle } : {}))
  if (handle) {
    const other = oauth.DPoP(client, await oauth.generateKeyPair(input.dpop))
    out.bearer = (await fetch(url, { headers: { authorization: `Bearer ${tokens.access_token}` } })).status
    out.naked = (await fetch(url, { headers: { authorization: `DPoP ${tokens.access_token}` } })).status
    out.other = await status(() => oauth.protectedResourceRequest(tokens.access_token, 'GET', url, undefined, undefined, { DPoP: other }))
    let proof
    const spy = { DPoP: handle, [oauth.customFetch]: (u, o) => { proof = o.headers.get ? o.headers.get('dpop') : o.headers.dpop; return fetch(u, o) } }
    await status(() => oauth.protectedResourceRequest(tokens.access_token, 'GET', url, undefined, undefined, spy))
    out.replayed = (await fetch(url, { headers: { authorization: `DPoP ${tokens.access_token}`, dpop: proof } })).status
    const model = new URL('/v1/models', issuer)
    out.model = await status(() => oauth.protectedResourceRequest(tokens.access_token, 'GET', model, undefined, undefined, { DPoP: handle }))
    out.model_bearer = (await fetch(model, { headers: { authorization: `Bearer ${tokens.access_token}` } })).status
  }
  return out
}

try {
  console.log(JSON.stringify(await commands[process.argv[2]]()))
} catch (error) {
  console.log(JSON.stringify({ error: error.error ?? error.message, description: error.error_description, status: error.status, code: error.code, cause: String(error.cause?.message ?? JSON.stringify(error.cause) ?? '') }))
}
