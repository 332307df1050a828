// SPDX-License-Identifier: Apache-2.0
// node-oidc-provider as somebody's identity provider, over TLS: node upstream.mjs PORT KEY CERT CLIENT_REDIRECTS_JSON.
// Its accounts and what it gets wrong are set through POST /test/set; POST /test/rotate gives it a new key.
import { Provider } from 'oidc-provider'
import { generateKeyPair, exportJWK, SignJWT } from 'jose'
import https from 'node:https'
import fs from 'node:fs'
import crypto from 'node:crypto'

const [port, key, cert, redirects] = process.argv.slice(2)
const url = `https://localhost:${port}`
let state = { account: { sub: 'u-1', preferred_username: 'alice', name: 'Alice', email: 'alice@corp.example', email_verified: true, groups: ['eng-core', 'all'] }, evil: {} }
let handler, provider, signing

async function newKey() {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  signing = { key: privateKey, kid: crypto.randomUUID() }
  provider = new Provider(url, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: signing.kid }] },
    clients: [{
      client_id: 'drun', client_secret: 'a secret: with+signs %&', grant_types: ['authorization_code'], response_types: ['code'], redirect_uris: JSON.parse(redirects),
      post_logout_redirect_uris: [new URL(JSON.parse(redirects)[0]).origin + '/login'], token_endpoint_auth_method: state.method ?? 'client_secret_basic',
    }],
    claims: { openid: ['sub'], profile: ['preferred_username', 'name'], email: ['email', 'email_verified'], groups: ['groups'] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true }, userinfo: { enabled: true } },
    cookies: { keys: ['k'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ ...state.account, sub: id }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
      grant.addOIDCScope('openid profile email groups')
      await grant.save()
      return grant
    },
  })
  provider.proxy = false
  handler = provider.callback()
}
await newKey()

async function body(request) {
  let text = ''
  for await (const piece of request) text += piece
  return text ? JSON.parse(text) : {}
}

// Nobody is asked anything: whoever comes is the account that is set, or refuses.
async function interact(request, response) {
  const result = state.evil.deny ? { error: 'access_denied' } : { login: { accountId: state.account.sub, amr: state.amr } }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })
}

// An ID token that is wrong in one way.
async function spoiled(response) {
  const chunks = []
  const write = response.write.bind(response), end = response.end.bind(response)
  response.write = (piece) => (chunks.push(Buffer.from(piece)), true)
  response.end = async (piece) => {
    if (piece) chunks.push(Buffer.from(piece))
    let text = Buffer.concat(chunks).toString()
    try {
      const answer = JSON.parse(text)
      if (answer.id_token) {
        const claims = { ...JSON.parse(Buffer.from(answer.id_token.split('.')[1], 'base64url')), ...state.evil.claims }
        const other = state.evil.key ? (await generateKeyPair('RS256')).privateKey : signing.key
        answer.id_token = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: signing.kid }).sign(other)
        text = JSON.stringify(answer)
        response.setHeader('content-length', Buffer.byteLength(text))
      }
    } catch { /* as it is */ }
    write(text)
    end()
  }
}

https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, async (request, response) => {
  const path = new URL(request.url, url).pathname
  if (path === '/test/set') {
    state = { ...state, evil: {}, amr: undefined, ...(await body(request)) }
    return response.end()
  }
  if (path === '/test/rotate') {
    await newKey()
    return response.end()
  }
  if (path === '/test/logout') {
    const claims = await body(request)
    const token = await new SignJWT({ events: { 'http://schemas.openid.net/event/backchannel-logout': {} }, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: signing.kid, typ: 'logout+jwt' }).setIssuer(url).setAudience('drun').setIssuedAt()
      .setExpirationTime('2m').setJti(claims.jti ?? crypto.randomUUID()).sign(signing.key)
    return response.end(token)
  }
  if (path.startsWith('/interaction/')) return interact(request, response)
  if (path === '/.well-known/openid-configuration' && state.evil.issuer) {
    return response.setHeader('content-type', 'application/json').end(JSON.stringify({ issuer: state.evil.issuer, authorization_endpoint: url, token_endpoint: url, jwks_uri: url }))
  }
  if (path === '/token' && (state.evil.claims || state.evil.key)) await spoiled(response)
  handler(request, response)
}).listen(Number(port), '127.0.0.1', () => console.log('ready'))
