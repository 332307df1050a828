// SPDX-License-Identifier: Apache-2.0
// An IdentityProvider as this page edits it; `kubectl explain identityprovider.spec` describes each field.

export interface SecretRef {
  namespace: string;
  name: string;
  key?: string;
}

export interface Oidc {
  issuer: string;
  clientId: string;
  clientSecretRef?: SecretRef;
  clientAuth?: string;
  scopes?: string[];
  userInfo?: boolean;
  trustMfa?: boolean;
  logout?: boolean;
}

export interface Ldap {
  url: string;
  bindDn: string;
  passwordSecretRef?: SecretRef;
  userBase: string;
  userFilter?: string;
  idAttribute?: string;
  attributes?: string[];
  groupBase?: string;
  groupFilter?: string;
  groupAttribute?: string;
}

/** How a claim becomes a text here. */
export interface ClaimRule {
  claim: string;
  match?: string;
  template?: string;
}

export interface Mapping {
  userName?: ClaimRule;
  displayName?: ClaimRule;
  email?: ClaimRule;
  groups?: ClaimRule[];
}

export interface ProviderSpec {
  displayName?: string;
  disabled?: boolean;
  hidden?: boolean;
  domains?: string[];
  privateNetwork?: boolean;
  ca?: string;
  oidc?: Oidc;
  ldap?: Ldap;
  accounts?: { create?: boolean; linkByEmail?: boolean; emailsAreVerified?: boolean; update?: boolean };
  mapping?: Mapping;
}
